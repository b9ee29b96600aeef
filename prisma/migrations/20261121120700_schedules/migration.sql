-- Jobs that are submitted by the clock. A schedule is configuration and can be changed and removed; the jobs that it made stay, and name it.
CREATE TABLE "schedules" (
    "id" UUID NOT NULL,
    "workspace_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "cron" TEXT NOT NULL,
    "time_zone" TEXT NOT NULL DEFAULT 'UTC',
    "overlap" TEXT NOT NULL DEFAULT 'skip',
    "catch_up" TEXT NOT NULL DEFAULT 'latest',
    "paused" BOOLEAN NOT NULL DEFAULT false,
    "definition" JSONB NOT NULL,
    -- When it is due next; null while it is paused or when no time is left.
    "next_run_at" TIMESTAMPTZ(3),
    -- What became of its last time: the job, or none when it was passed over.
    "last_run_at" TIMESTAMPTZ(3),
    "last_job_id" UUID,
    "last_outcome" TEXT,
    "created_by_type" TEXT NOT NULL,
    "created_by_id" TEXT NOT NULL,
    -- Who last said what it runs.
    "updated_by_type" TEXT NOT NULL,
    "updated_by_id" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "schedules_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "schedules_name_check" CHECK (char_length("name") BETWEEN 1 AND 200),
    CONSTRAINT "schedules_overlap_check" CHECK ("overlap" IN ('skip', 'queue', 'cancel-previous')),
    CONSTRAINT "schedules_catch_up_check" CHECK ("catch_up" IN ('none', 'latest', 'all')),
    CONSTRAINT "schedules_last_outcome_check" CHECK ("last_outcome" IN ('SUBMITTED', 'SKIPPED_OVERLAP', 'SKIPPED_BACKLOG', 'REFUSED')),
    CONSTRAINT "schedules_paused_check" CHECK (NOT ("paused" AND "next_run_at" IS NOT NULL))
);
CREATE UNIQUE INDEX "schedules_workspace_id_name_key" ON "schedules"("workspace_id", "name");
CREATE INDEX "schedules_workspace_id_id_idx" ON "schedules"("workspace_id", "id" DESC);
CREATE INDEX "schedules_next_run_at_idx" ON "schedules"("next_run_at") WHERE "next_run_at" IS NOT NULL;
ALTER TABLE "schedules" ADD CONSTRAINT "schedules_workspace_id_fkey"
  FOREIGN KEY ("workspace_id") REFERENCES "workspaces"("id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- Which jobs of a schedule are not over yet.
CREATE INDEX "runner_jobs_schedule_unfinished_idx" ON "runner_jobs"("schedule_id")
  WHERE "schedule_id" IS NOT NULL AND "status" IN ('PENDING', 'QUEUED', 'RUNNING');

ALTER TABLE "schedules" ENABLE ROW LEVEL SECURITY;
CREATE POLICY schedules_api ON "schedules" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY schedules_worker ON "schedules" TO runledger_worker USING (true);
GRANT SELECT, INSERT, DELETE ON "schedules" TO runledger_api;
GRANT UPDATE ("name", "cron", "time_zone", "overlap", "catch_up", "paused", "definition", "next_run_at", "version", "updated_at",
  "updated_by_type", "updated_by_id")
  ON "schedules" TO runledger_api;
GRANT SELECT ON "schedules" TO runledger_worker;
GRANT UPDATE ("next_run_at", "last_run_at", "last_job_id", "last_outcome", "updated_at") ON "schedules" TO runledger_worker;
