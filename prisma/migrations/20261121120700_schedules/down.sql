DROP INDEX "runner_jobs_schedule_unfinished_idx";
DROP TABLE "schedules";
