REVOKE UPDATE ("max_running_jobs", "require_four_eyes", "allow_network", "version", "updated_at") ON "workspaces" FROM runledger_api;
REVOKE UPDATE ("head_seq", "head_hash", "version", "updated_at", "cancel_requested_at", "wake_at") ON "runner_jobs" FROM runledger_api;
DROP TABLE "job_terms";
DROP INDEX "runner_jobs_schedule_id_idx";
DROP INDEX "runner_jobs_project_id_idx";
DROP INDEX "runner_jobs_retry_of_id_idx";
ALTER TABLE "runner_jobs" DROP CONSTRAINT "runner_jobs_retry_of_id_workspace_id_fkey";
ALTER TABLE "workspaces" DROP COLUMN "max_running_jobs", DROP COLUMN "require_four_eyes", DROP COLUMN "allow_network";
ALTER TABLE "job_steps" DROP COLUMN "interruptions", DROP COLUMN "retry_at";
ALTER TABLE "runner_jobs"
  DROP COLUMN "project_id", DROP COLUMN "tags", DROP COLUMN "metadata", DROP COLUMN "run_at", DROP COLUMN "expires_at",
  DROP COLUMN "concurrency_key", DROP COLUMN "concurrency_limit", DROP COLUMN "concurrency_on_conflict",
  DROP COLUMN "rate_limit_key", DROP COLUMN "rate_limit_count", DROP COLUMN "rate_limit_period_seconds",
  DROP COLUMN "retry_of_id", DROP COLUMN "schedule_id", DROP COLUMN "cancel_requested_at", DROP COLUMN "progress_message",
  DROP COLUMN "hold", DROP COLUMN "parked_at", DROP COLUMN "wake_at", DROP COLUMN "workdir_host";
