ALTER TABLE "hosts" ADD COLUMN "last_good_backup_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "foreign_id_count" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "agent_sessions_confirmed" ON "agent_sessions" USING btree ("host_id","confirmed");--> statement-breakpoint
CREATE INDEX "hosts_good_backup" ON "hosts" USING btree ("last_good_backup_at" NULLS FIRST,"id");--> statement-breakpoint
CREATE INDEX "jobs_repository_good_backup" ON "jobs" USING btree ("repository_id","finished_at") WHERE "jobs"."kind" = 'backup' and "jobs"."status" in ('succeeded', 'incomplete');--> statement-breakpoint
CREATE INDEX "jobs_cancel_wish" ON "jobs" USING btree ("host_id") WHERE "jobs"."cancel_requested_at" is not null and not "jobs"."reported";--> statement-breakpoint
CREATE INDEX "jobs_expiry" ON "jobs" USING btree ("expires_at") WHERE "jobs"."status" = 'queued';