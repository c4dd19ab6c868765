INSERT INTO "audit_event_hosts" ("host_id", "at", "number")
	SELECT DISTINCT host.id, event.at, event.number FROM "audit_events" event, unnest(event.host_ids) AS host(id);--> statement-breakpoint
CREATE TRIGGER "audit_event_hosts_are_only_added" BEFORE UPDATE OR DELETE ON "audit_event_hosts"
	FOR EACH ROW EXECUTE FUNCTION "refuse_change_of_audit_events"();--> statement-breakpoint
CREATE TRIGGER "audit_event_hosts_are_not_emptied" BEFORE TRUNCATE ON "audit_event_hosts"
	FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change_of_audit_events"();
