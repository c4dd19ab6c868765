CREATE TABLE "fleet_days" (
	"day" date PRIMARY KEY NOT NULL,
	"succeeded" integer DEFAULT 0 NOT NULL,
	"incomplete" integer DEFAULT 0 NOT NULL,
	"failed" integer DEFAULT 0 NOT NULL,
	"lost" integer DEFAULT 0 NOT NULL,
	"missed" integer DEFAULT 0 NOT NULL,
	"skipped" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "host_days" (
	"host_id" uuid NOT NULL,
	"day" date NOT NULL,
	"succeeded" integer DEFAULT 0 NOT NULL,
	"incomplete" integer DEFAULT 0 NOT NULL,
	"failed" integer DEFAULT 0 NOT NULL,
	"lost" integer DEFAULT 0 NOT NULL,
	"missed" integer DEFAULT 0 NOT NULL,
	"skipped" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "host_days_host_id_day_pk" PRIMARY KEY("host_id","day")
);
--> statement-breakpoint
CREATE TABLE "outcome_changes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "outcome_changes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"host_id" uuid NOT NULL,
	"schedule_id" uuid,
	"repository_id" uuid NOT NULL,
	"day" date NOT NULL,
	"succeeded" integer DEFAULT 0 NOT NULL,
	"incomplete" integer DEFAULT 0 NOT NULL,
	"failed" integer DEFAULT 0 NOT NULL,
	"lost" integer DEFAULT 0 NOT NULL,
	"missed" integer DEFAULT 0 NOT NULL,
	"skipped" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "repository_days" (
	"repository_id" uuid NOT NULL,
	"day" date NOT NULL,
	"size_bytes" bigint NOT NULL,
	CONSTRAINT "repository_days_repository_id_day_pk" PRIMARY KEY("repository_id","day")
);
--> statement-breakpoint
CREATE TABLE "standings" (
	"schedule_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"host_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"status" text,
	"job_id" uuid,
	"reason" text,
	"since" timestamp (3) with time zone,
	"count" integer DEFAULT 0 NOT NULL,
	"last_good_at" timestamp (3) with time zone,
	"missed" integer DEFAULT 0 NOT NULL,
	"missed_since" timestamp (3) with time zone,
	CONSTRAINT "standings_schedule_id_repository_id_pk" PRIMARY KEY("schedule_id","repository_id")
);
--> statement-breakpoint
ALTER TABLE "alerts" ADD COLUMN "schedule_id" uuid;--> statement-breakpoint
ALTER TABLE "alerts" ADD COLUMN "job_id" uuid;--> statement-breakpoint
ALTER TABLE "alerts" ADD COLUMN "reason" text;--> statement-breakpoint
ALTER TABLE "alerts" ADD COLUMN "detail" text;--> statement-breakpoint
ALTER TABLE "alerts" ADD COLUMN "last_good_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "objective_seconds" integer;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "objective_since" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "plan_read_version" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "schedules" ADD COLUMN "period_seconds" integer;--> statement-breakpoint
ALTER TABLE "host_days" ADD CONSTRAINT "host_days_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "repository_days" ADD CONSTRAINT "repository_days_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repositories"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "standings" ADD CONSTRAINT "standings_schedule_id_schedules_id_fk" FOREIGN KEY ("schedule_id") REFERENCES "public"."schedules"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "standings" ADD CONSTRAINT "standings_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "standings_host" ON "standings" USING btree ("host_id");--> statement-breakpoint
CREATE INDEX "standings_not_well" ON "standings" USING btree ("host_id","kind") WHERE status in ('incomplete', 'failed', 'lost') or missed > 0;--> statement-breakpoint
CREATE INDEX "alerts_cleared" ON "alerts" USING btree ("cleared_at");--> statement-breakpoint
CREATE INDEX "hosts_plan_unread" ON "hosts" USING btree ("id") WHERE plan_read_version <> schedule_version;