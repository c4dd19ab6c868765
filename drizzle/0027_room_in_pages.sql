-- Heartbeats, acks and edits change the rows of many hosts at once. A row that finds room in its own page for what it becomes leaves the indexes as they are.
alter table hosts set (fillfactor = 50);
