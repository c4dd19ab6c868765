CREATE TABLE "schedules" (
	"id" uuid PRIMARY KEY NOT NULL,
	"request_id" uuid,
	"host_id" uuid NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"repository_ids" uuid[] NOT NULL,
	"enabled" boolean NOT NULL,
	"manual" boolean NOT NULL,
	"cron" text,
	"time_zone" text NOT NULL,
	"definition" jsonb NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"rejected_code" text,
	"rejected_reason" text,
	"counted_cron" text,
	"counted_time_zone" text,
	"counted_from" timestamp (3) with time zone,
	"expected_through" timestamp (3) with time zone,
	"newest_fire_for" timestamp (3) with time zone,
	"next_check_part" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	CONSTRAINT "schedules_request_id_unique" UNIQUE("request_id")
);
--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "schedule_version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "applied_schedule_version" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "schedule_applied_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "hook_shell" text;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "for_host_id" uuid;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "decided_by" text DEFAULT 'server' NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "elevated" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "not_before" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "released_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "waits_for_job_id" uuid;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "attempt" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "not_run_from" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "slot_count" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "repositories" ADD COLUMN "maintenance_host_id" uuid;--> statement-breakpoint
ALTER TABLE "repositories" ADD COLUMN "admin_username" text;--> statement-breakpoint
ALTER TABLE "repositories" ADD COLUMN "risk_accepted_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "repositories" ADD COLUMN "risk_accepted_by" text;--> statement-breakpoint
ALTER TABLE "schedules" ADD CONSTRAINT "schedules_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "schedules_host" ON "schedules" USING btree ("host_id","name","id");--> statement-breakpoint
CREATE INDEX "schedules_repositories" ON "schedules" USING gin ("repository_ids");--> statement-breakpoint
CREATE INDEX "schedules_counted" ON "schedules" USING btree ("expected_through") WHERE "schedules"."counted_cron" is not null;--> statement-breakpoint
ALTER TABLE "repositories" ADD CONSTRAINT "repositories_maintenance_host_id_hosts_id_fk" FOREIGN KEY ("maintenance_host_id") REFERENCES "public"."hosts"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "jobs_held" ON "jobs" USING btree ("created_at") WHERE "jobs"."status" = 'queued' and "jobs"."released_at" is null;--> statement-breakpoint
CREATE INDEX "jobs_schedule_newest" ON "jobs" USING btree ("schedule_id","created_at","id");--> statement-breakpoint
UPDATE "jobs" SET "released_at" = "created_at" WHERE "released_at" IS NULL;
