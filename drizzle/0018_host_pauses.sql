ALTER TABLE "hosts" ADD COLUMN "paused_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "paused_until" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "paused_by" text;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "pause_reason" text;--> statement-breakpoint
CREATE INDEX "hosts_paused_until" ON "hosts" USING btree ("paused_until") WHERE "hosts"."paused_until" is not null;