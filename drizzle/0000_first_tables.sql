CREATE TABLE "agent_sessions" (
	"host_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"number" bigint GENERATED ALWAYS AS IDENTITY (sequence name "agent_sessions_number_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"confirmed" uuid,
	"bearer_hash" text,
	"bearer_expires_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "agent_sessions_host_id_id_pk" PRIMARY KEY("host_id","id"),
	CONSTRAINT "agent_sessions_bearer_hash_unique" UNIQUE("bearer_hash")
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"operator_id" uuid NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"hash" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"last_used_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	CONSTRAINT "api_keys_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "credentials" (
	"id" uuid PRIMARY KEY NOT NULL,
	"repository_id" uuid NOT NULL,
	"purpose" text NOT NULL,
	"sealed" text NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "credentials_purpose" UNIQUE("repository_id","purpose")
);
--> statement-breakpoint
CREATE TABLE "enrolments" (
	"id" uuid PRIMARY KEY NOT NULL,
	"request_id" uuid NOT NULL,
	"token_hash" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"max_uses" integer NOT NULL,
	"uses_left" integer NOT NULL,
	"tags" text[] DEFAULT '{}' NOT NULL,
	"revoked_at" timestamp (3) with time zone,
	"refused_count" integer DEFAULT 0 NOT NULL,
	"last_refused_at" timestamp (3) with time zone,
	CONSTRAINT "enrolments_request_id_unique" UNIQUE("request_id"),
	CONSTRAINT "enrolments_token_hash_unique" UNIQUE("token_hash")
);
--> statement-breakpoint
CREATE TABLE "host_repositories" (
	"host_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "host_repositories_host_id_repository_id_pk" PRIMARY KEY("host_id","repository_id")
);
--> statement-breakpoint
CREATE TABLE "hosts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"hostname" text NOT NULL,
	"public_key" text NOT NULL,
	"enrolment_id" uuid,
	"enrolled_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"tags" text[] DEFAULT '{}' NOT NULL,
	"os" text,
	"arch" text,
	"agent_version" text,
	"restic_version" text,
	"protocol_version" integer,
	"time_zone" text,
	"boot_time" timestamp (3) with time zone,
	"policy" jsonb,
	"online" boolean DEFAULT false NOT NULL,
	"connected_at" timestamp (3) with time zone,
	"last_seen_at" timestamp (3) with time zone,
	"proved_at" timestamp (3) with time zone,
	"session_id" uuid,
	"session_number" bigint DEFAULT 0 NOT NULL,
	"spool_epoch" uuid,
	"spool_facts" integer DEFAULT 0 NOT NULL,
	"spool_log_bytes" bigint DEFAULT 0 NOT NULL,
	"config_version" integer DEFAULT 1 NOT NULL,
	"applied_config_version" integer DEFAULT 0 NOT NULL,
	"config_applied_at" timestamp (3) with time zone,
	"max_concurrent_runs" integer DEFAULT 1 NOT NULL,
	"quarantined_at" timestamp (3) with time zone,
	"quarantine_reason" text,
	"removed_at" timestamp (3) with time zone,
	CONSTRAINT "hosts_public_key_unique" UNIQUE("public_key")
);
--> statement-breakpoint
CREATE UNLOGGED TABLE "job_progress" (
	"job_id" uuid PRIMARY KEY NOT NULL,
	"host_id" uuid NOT NULL,
	"progress" jsonb NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"id" uuid PRIMARY KEY NOT NULL,
	"host_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"status" text NOT NULL,
	"reported" boolean DEFAULT false NOT NULL,
	"spec" jsonb NOT NULL,
	"request_id" uuid,
	"requested_by" text,
	"schedule_id" uuid,
	"scheduled_for" timestamp (3) with time zone,
	"retry_of" uuid,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"accepted_at" timestamp (3) with time zone,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"cancel_requested_at" timestamp (3) with time zone,
	"cancel_requested_by" text,
	"command" text,
	"restic_version" text,
	"exit_code" integer,
	"signal" text,
	"reason" text,
	"error" text,
	"stats" jsonb,
	"warnings" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"last_log_seq" bigint,
	"next_log_seq" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "jobs_request_id_unique" UNIQUE("request_id"),
	CONSTRAINT "jobs_of_host" UNIQUE("id","host_id")
);
--> statement-breakpoint
CREATE TABLE "log_blocks" (
	"job_id" uuid NOT NULL,
	"host_id" uuid NOT NULL,
	"first_seq" bigint NOT NULL,
	"count" bigint NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"block" "bytea" NOT NULL,
	"received_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "log_blocks_job_id_first_seq_pk" PRIMARY KEY("job_id","first_seq")
);
--> statement-breakpoint
CREATE TABLE "operator_accounts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"operator_id" uuid NOT NULL,
	"account_id" text NOT NULL,
	"provider_id" text NOT NULL,
	"access_token" text,
	"refresh_token" text,
	"id_token" text,
	"access_token_expires_at" timestamp (3) with time zone,
	"refresh_token_expires_at" timestamp (3) with time zone,
	"scope" text,
	"password" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "operator_sessions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"operator_id" uuid NOT NULL,
	"token" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"ip_address" text,
	"user_agent" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "operator_sessions_token_unique" UNIQUE("token")
);
--> statement-breakpoint
CREATE TABLE "operator_verifications" (
	"id" uuid PRIMARY KEY NOT NULL,
	"identifier" text NOT NULL,
	"value" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "operators" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"email_verified" boolean DEFAULT false NOT NULL,
	"image" text,
	"role" text DEFAULT 'viewer' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "operators_email_unique" UNIQUE("email")
);
--> statement-breakpoint
CREATE TABLE "repositories" (
	"id" uuid PRIMARY KEY NOT NULL,
	"request_id" uuid,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"url" text NOT NULL,
	"username" text,
	"environment" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"may_delete" boolean DEFAULT true NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"restic_id" text,
	"size_bytes" bigint,
	"dedup_ratio_thousandths" bigint,
	"stats_at" timestamp (3) with time zone,
	"last_check_at" timestamp (3) with time zone,
	"last_check_status" text,
	"lock_state" text,
	"locks" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "repositories_request_id_unique" UNIQUE("request_id"),
	CONSTRAINT "repositories_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "session_challenges" (
	"nonce" text PRIMARY KEY NOT NULL,
	"host_id" uuid NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "settings" (
	"name" text PRIMARY KEY NOT NULL,
	"value" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sign_in_limits" (
	"id" uuid PRIMARY KEY NOT NULL,
	"key" text NOT NULL,
	"count" integer NOT NULL,
	"last_request" bigint NOT NULL,
	CONSTRAINT "sign_in_limits_key_unique" UNIQUE("key")
);
--> statement-breakpoint
CREATE TABLE "snapshot_report_pages" (
	"host_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"report_id" uuid NOT NULL,
	"page" integer NOT NULL,
	"pages" integer NOT NULL,
	"snapshots" jsonb NOT NULL,
	"received_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "snapshot_report_pages_host_id_repository_id_report_id_page_pk" PRIMARY KEY("host_id","repository_id","report_id","page")
);
--> statement-breakpoint
CREATE TABLE "snapshots" (
	"repository_id" uuid NOT NULL,
	"id" text NOT NULL,
	"short_id" text NOT NULL,
	"taken_at" timestamp (3) with time zone NOT NULL,
	"hostname" text NOT NULL,
	"paths" text[] NOT NULL,
	"tags" text[] NOT NULL,
	"size_bytes" bigint NOT NULL,
	"file_count" bigint NOT NULL,
	"host_id" uuid,
	"job_id" uuid,
	CONSTRAINT "snapshots_repository_id_id_pk" PRIMARY KEY("repository_id","id")
);
--> statement-breakpoint
CREATE TABLE "spools" (
	"host_id" uuid NOT NULL,
	"epoch" uuid NOT NULL,
	"acked_first" bigint DEFAULT 0 NOT NULL,
	"acked_rest" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "spools_host_id_epoch_pk" PRIMARY KEY("host_id","epoch")
);
--> statement-breakpoint
ALTER TABLE "agent_sessions" ADD CONSTRAINT "agent_sessions_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_operator_id_operators_id_fk" FOREIGN KEY ("operator_id") REFERENCES "public"."operators"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credentials" ADD CONSTRAINT "credentials_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repositories"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "host_repositories" ADD CONSTRAINT "host_repositories_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "host_repositories" ADD CONSTRAINT "host_repositories_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repositories"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hosts" ADD CONSTRAINT "hosts_enrolment_id_enrolments_id_fk" FOREIGN KEY ("enrolment_id") REFERENCES "public"."enrolments"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_progress" ADD CONSTRAINT "job_progress_job_id_host_id_jobs_id_host_id_fk" FOREIGN KEY ("job_id","host_id") REFERENCES "public"."jobs"("id","host_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "log_blocks" ADD CONSTRAINT "log_blocks_job_id_host_id_jobs_id_host_id_fk" FOREIGN KEY ("job_id","host_id") REFERENCES "public"."jobs"("id","host_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "operator_accounts" ADD CONSTRAINT "operator_accounts_operator_id_operators_id_fk" FOREIGN KEY ("operator_id") REFERENCES "public"."operators"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "operator_sessions" ADD CONSTRAINT "operator_sessions_operator_id_operators_id_fk" FOREIGN KEY ("operator_id") REFERENCES "public"."operators"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "session_challenges" ADD CONSTRAINT "session_challenges_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "snapshot_report_pages" ADD CONSTRAINT "snapshot_report_pages_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "snapshots" ADD CONSTRAINT "snapshots_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repositories"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "snapshots" ADD CONSTRAINT "snapshots_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "spools" ADD CONSTRAINT "spools_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "host_repositories_repository" ON "host_repositories" USING btree ("repository_id");--> statement-breakpoint
CREATE INDEX "hosts_name" ON "hosts" USING btree ("name","id");--> statement-breakpoint
CREATE INDEX "hosts_enrolment" ON "hosts" USING btree ("enrolment_id");--> statement-breakpoint
CREATE INDEX "jobs_host_newest" ON "jobs" USING btree ("host_id","created_at","id");--> statement-breakpoint
CREATE INDEX "jobs_repository_newest" ON "jobs" USING btree ("repository_id","created_at","id");--> statement-breakpoint
CREATE INDEX "jobs_newest" ON "jobs" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "jobs_host_good_backup" ON "jobs" USING btree ("host_id","finished_at") WHERE "jobs"."kind" = 'backup' and "jobs"."status" in ('succeeded', 'incomplete');--> statement-breakpoint
CREATE INDEX "jobs_open" ON "jobs" USING btree ("host_id","status") WHERE "jobs"."status" in ('queued', 'accepted', 'running', 'lost');--> statement-breakpoint
CREATE UNIQUE INDEX "jobs_slot" ON "jobs" USING btree ("schedule_id","scheduled_for","repository_id") WHERE "jobs"."schedule_id" is not null and "jobs"."scheduled_for" is not null and "jobs"."retry_of" is null;--> statement-breakpoint
CREATE INDEX "operator_accounts_operator" ON "operator_accounts" USING btree ("operator_id");--> statement-breakpoint
CREATE INDEX "operator_sessions_operator" ON "operator_sessions" USING btree ("operator_id");--> statement-breakpoint
CREATE INDEX "operator_verifications_identifier" ON "operator_verifications" USING btree ("identifier");--> statement-breakpoint
CREATE INDEX "snapshots_host_newest" ON "snapshots" USING btree ("host_id","taken_at","id");--> statement-breakpoint
CREATE INDEX "snapshots_repository_newest" ON "snapshots" USING btree ("repository_id","taken_at","id");--> statement-breakpoint
CREATE INDEX "snapshots_job" ON "snapshots" USING btree ("job_id");