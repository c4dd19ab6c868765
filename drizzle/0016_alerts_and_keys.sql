CREATE TABLE "alerts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"subject" uuid NOT NULL,
	"host_id" uuid,
	"enrolment_id" uuid,
	"repository_id" uuid,
	"sentence" text NOT NULL,
	"since" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"count" integer DEFAULT 1 NOT NULL,
	"acknowledged_by" text,
	"acknowledged_at" timestamp (3) with time zone,
	"cleared_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "previous_public_key" text;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "key_change_wanted_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "released_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "released_after" bigint;--> statement-breakpoint
ALTER TABLE "alerts" ADD CONSTRAINT "alerts_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alerts" ADD CONSTRAINT "alerts_enrolment_id_enrolments_id_fk" FOREIGN KEY ("enrolment_id") REFERENCES "public"."enrolments"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "alerts_open" ON "alerts" USING btree ("kind","subject") WHERE cleared_at is null;--> statement-breakpoint
CREATE INDEX "alerts_since" ON "alerts" USING btree ("since","id");--> statement-breakpoint
CREATE INDEX "alerts_host" ON "alerts" USING btree ("host_id");--> statement-breakpoint
CREATE INDEX "alerts_enrolment" ON "alerts" USING btree ("enrolment_id");