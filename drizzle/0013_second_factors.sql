DROP INDEX "operator_two_factors_operator";--> statement-breakpoint
ALTER TABLE "operator_two_factors" ADD COLUMN "last_step" integer;--> statement-breakpoint
ALTER TABLE "operator_two_factors" ADD CONSTRAINT "operator_two_factors_operator_id_unique" UNIQUE("operator_id");