CREATE TABLE "audit_repeats" (
	"key" text PRIMARY KEY NOT NULL,
	"action" text NOT NULL,
	"event" jsonb NOT NULL,
	"count" integer DEFAULT 1 NOT NULL,
	"since" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "audit_events_action" ON "audit_events" USING btree ("action","number");--> statement-breakpoint
CREATE INDEX "audit_events_hosts" ON "audit_events" USING gin ("host_ids");