CREATE TABLE "audit_event_hosts" (
	"host_id" uuid NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"number" bigint NOT NULL,
	CONSTRAINT "audit_event_hosts_host_id_at_number_pk" PRIMARY KEY("host_id","at","number")
);
--> statement-breakpoint
DROP INDEX "audit_events_hosts";--> statement-breakpoint
DROP INDEX "audit_events_target";--> statement-breakpoint
DROP INDEX "audit_events_actor";--> statement-breakpoint
DROP INDEX "audit_events_at";--> statement-breakpoint
DROP INDEX "audit_events_action";--> statement-breakpoint
CREATE INDEX "audit_events_target" ON "audit_events" USING btree ("target_id","at","number");--> statement-breakpoint
CREATE INDEX "audit_events_actor" ON "audit_events" USING btree (lower("actor_name") collate "C","at","number");--> statement-breakpoint
CREATE INDEX "audit_events_at" ON "audit_events" USING btree ("at","number");--> statement-breakpoint
CREATE INDEX "audit_events_action" ON "audit_events" USING btree ("action" collate "C","at","number");