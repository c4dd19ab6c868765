-- The days of one host lie side by side here, with all that is added up of them: the days of many hosts are read without their rows.
CREATE INDEX "host_days_counts" ON "host_days" USING btree ("host_id", "day") INCLUDE ("succeeded", "incomplete", "failed", "lost", "missed", "skipped");
