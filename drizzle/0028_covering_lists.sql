-- Who sees few hosts is shown the newest rows of these. They hold whose each row is, so that the rows of others are passed over without a look at the table.
DROP INDEX "jobs_newest";--> statement-breakpoint
CREATE INDEX "jobs_newest" ON "jobs" USING btree ("created_at", "id") INCLUDE ("host_id", "for_host_id");--> statement-breakpoint
DROP INDEX "jobs_repository_newest";--> statement-breakpoint
CREATE INDEX "jobs_repository_newest" ON "jobs" USING btree ("repository_id", "created_at", "id") INCLUDE ("host_id", "for_host_id");--> statement-breakpoint
DROP INDEX "jobs_status_newest";--> statement-breakpoint
CREATE INDEX "jobs_status_newest" ON "jobs" USING btree ("status", "created_at", "id") INCLUDE ("host_id", "for_host_id");--> statement-breakpoint
DROP INDEX "jobs_kind_newest";--> statement-breakpoint
CREATE INDEX "jobs_kind_newest" ON "jobs" USING btree ("kind", "created_at", "id") INCLUDE ("host_id", "for_host_id");--> statement-breakpoint
DROP INDEX "snapshots_newest";--> statement-breakpoint
CREATE INDEX "snapshots_newest" ON "snapshots" USING btree ("taken_at", "id", "repository_id") INCLUDE ("host_id");--> statement-breakpoint
DROP INDEX "snapshots_repository_newest";--> statement-breakpoint
CREATE INDEX "snapshots_repository_newest" ON "snapshots" USING btree ("repository_id", "taken_at", "id") INCLUDE ("host_id");
