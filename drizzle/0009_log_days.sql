CREATE TABLE "removed_log_days" (
	"day" date PRIMARY KEY NOT NULL,
	"kept_days" integer NOT NULL,
	"removed_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"late_blocks" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "log_day" date;--> statement-breakpoint
-- By hand from here on: a table cannot become a partitioned one, so a new one takes its place and its rows.
ALTER TABLE "log_blocks" RENAME TO "unsorted_log_blocks";--> statement-breakpoint
CREATE TABLE "log_blocks" (
	"day" date NOT NULL,
	"job_id" uuid NOT NULL,
	"host_id" uuid NOT NULL,
	"first_seq" bigint NOT NULL,
	"count" bigint NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"block" "bytea" NOT NULL,
	"received_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "log_blocks_job_id_first_seq_day_pk" PRIMARY KEY("job_id","first_seq","day")
) PARTITION BY RANGE ("day");
--> statement-breakpoint
-- Blocks are compressed already.
ALTER TABLE "log_blocks" ALTER COLUMN "block" SET STORAGE EXTERNAL;--> statement-breakpoint
ALTER TABLE "log_blocks" ADD CONSTRAINT "log_blocks_job_id_host_id_jobs_id_host_id_fk" FOREIGN KEY ("job_id","host_id") REFERENCES "public"."jobs"("id","host_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
UPDATE "jobs" SET "log_day" = "first"."day"
FROM (SELECT "job_id", (min("received_at") AT TIME ZONE 'UTC')::date AS "day" FROM "unsorted_log_blocks" GROUP BY "job_id") AS "first"
WHERE "jobs"."id" = "first"."job_id";--> statement-breakpoint
DO $$
DECLARE wanted date;
BEGIN
	FOR wanted IN SELECT DISTINCT "log_day" FROM "jobs" WHERE "log_day" IS NOT NULL LOOP
		EXECUTE format('CREATE TABLE %I PARTITION OF "log_blocks" FOR VALUES FROM (%L) TO (%L)',
			'log_blocks_' || to_char(wanted, 'YYYYMMDD'), wanted, wanted + 1);
	END LOOP;
END $$;--> statement-breakpoint
INSERT INTO "log_blocks" ("day", "job_id", "host_id", "first_seq", "count", "started_at", "block", "received_at")
SELECT "jobs"."log_day", "old"."job_id", "old"."host_id", "old"."first_seq", "old"."count", "old"."started_at", "old"."block", "old"."received_at"
FROM "unsorted_log_blocks" AS "old" JOIN "jobs" ON "jobs"."id" = "old"."job_id";--> statement-breakpoint
DROP TABLE "unsorted_log_blocks";
