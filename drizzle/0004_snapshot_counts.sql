CREATE TABLE "snapshot_counts" (
	"repository_id" uuid NOT NULL,
	"host_id" uuid NOT NULL,
	"count" integer NOT NULL,
	CONSTRAINT "snapshot_counts_repository_id_host_id_pk" PRIMARY KEY("repository_id","host_id")
);
--> statement-breakpoint
ALTER TABLE "snapshot_counts" ADD CONSTRAINT "snapshot_counts_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repositories"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "snapshot_counts" ADD CONSTRAINT "snapshot_counts_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "snapshot_counts_host" ON "snapshot_counts" USING btree ("host_id");--> statement-breakpoint
CREATE INDEX "jobs_status_newest" ON "jobs" USING btree ("status","created_at","id");--> statement-breakpoint
CREATE INDEX "jobs_kind_newest" ON "jobs" USING btree ("kind","created_at","id");--> statement-breakpoint
INSERT INTO "snapshot_counts" ("repository_id", "host_id", "count") SELECT "repository_id", "host_id", count(*) FROM "snapshots" WHERE "host_id" IS NOT NULL GROUP BY 1, 2;
