CREATE TYPE "runner_job_status" AS ENUM ('PENDING', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED');
CREATE TYPE "job_step_phase" AS ENUM ('SETUP', 'EXECUTION', 'VALIDATION', 'CLEANUP');
CREATE TYPE "job_step_type" AS ENUM ('COMMAND', 'AI_ACTION', 'GATE', 'ARTIFACT');
CREATE TYPE "job_step_status" AS ENUM ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'SKIPPED');

-- Jobs and steps are updated several times in their short life; the free third of each page lets those updates stay HOT
-- (no index is touched when no indexed column changes, which is why the lease is in no index).
CREATE TABLE "runner_jobs" (
    "id" UUID NOT NULL,
    "workspace_id" UUID NOT NULL,
    "kind" TEXT NOT NULL DEFAULT 'PIPELINE',
    "name" TEXT NOT NULL,
    "status" "runner_job_status" NOT NULL DEFAULT 'PENDING',
    "priority" SMALLINT NOT NULL DEFAULT 5,
    "progress_percent" SMALLINT NOT NULL DEFAULT 0,
    "current_phase" "job_step_phase",
    "definition" JSONB NOT NULL,
    "result" JSONB,
    "error_code" TEXT,
    "error_message" TEXT,
    "failed_step_id" UUID,
    "agent_task_id" UUID,
    "created_by_type" TEXT NOT NULL,
    "created_by_id" TEXT NOT NULL,
    "head_seq" INTEGER NOT NULL DEFAULT 0,
    "head_hash" CHAR(64) NOT NULL DEFAULT '0000000000000000000000000000000000000000000000000000000000000000',
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "lease_owner" TEXT,
    "lease_expires_at" TIMESTAMPTZ(3),
    "offers" INTEGER NOT NULL DEFAULT 0,
    "offered_at" TIMESTAMPTZ(3),
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "queued_at" TIMESTAMPTZ(3),
    "started_at" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "runner_jobs_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "runner_jobs_kind_check" CHECK ("kind" ~ '^[A-Z][A-Z0-9_]{0,31}$'),
    CONSTRAINT "runner_jobs_name_check" CHECK (char_length("name") BETWEEN 1 AND 200),
    CONSTRAINT "runner_jobs_priority_check" CHECK ("priority" BETWEEN 0 AND 9),
    CONSTRAINT "runner_jobs_progress_percent_check" CHECK ("progress_percent" BETWEEN 0 AND 100),
    CONSTRAINT "runner_jobs_head_check" CHECK ("head_seq" >= 0 AND octet_length("head_hash"::text) = 64 AND encode(decode("head_hash", 'hex'), 'hex') = "head_hash"),
    CONSTRAINT "runner_jobs_completed_check"
      CHECK (("status" IN ('COMPLETED', 'FAILED', 'CANCELLED')) = ("completed_at" IS NOT NULL)),
    CONSTRAINT "runner_jobs_lease_check" CHECK (("lease_owner" IS NULL) = ("lease_expires_at" IS NULL))
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX "runner_jobs_id_workspace_id_key" ON "runner_jobs"("id", "workspace_id");
CREATE INDEX "runner_jobs_workspace_id_id_idx" ON "runner_jobs"("workspace_id", "id" DESC);
CREATE INDEX "runner_jobs_workspace_id_status_id_idx" ON "runner_jobs"("workspace_id", "status", "id" DESC);
CREATE INDEX "runner_jobs_workspace_id_kind_id_idx" ON "runner_jobs"("workspace_id", "kind", "id" DESC);
CREATE INDEX "runner_jobs_created_at_idx" ON "runner_jobs"("created_at");
-- Admission and the reconciler look only at jobs that are not finished: their index stays small however many are.
CREATE INDEX "runner_jobs_unfinished_idx" ON "runner_jobs"("status", "priority", "id")
  WHERE "status" IN ('PENDING', 'QUEUED', 'RUNNING');
CREATE INDEX "runner_jobs_agent_task_id_idx" ON "runner_jobs"("agent_task_id") WHERE "agent_task_id" IS NOT NULL;

ALTER TABLE "runner_jobs" ADD CONSTRAINT "runner_jobs_workspace_id_fkey"
  FOREIGN KEY ("workspace_id") REFERENCES "workspaces"("id") ON DELETE RESTRICT ON UPDATE NO ACTION;

CREATE TABLE "job_steps" (
    "id" UUID NOT NULL,
    "workspace_id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "phase" "job_step_phase" NOT NULL,
    "type" "job_step_type" NOT NULL,
    "status" "job_step_status" NOT NULL DEFAULT 'PENDING',
    "config" JSONB NOT NULL DEFAULT '{}',
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "outputs" JSONB,
    "exit_code" INTEGER,
    "error_code" TEXT,
    "error_message" TEXT,
    "skip_reason" TEXT,
    "tokens_input" INTEGER NOT NULL DEFAULT 0,
    "tokens_output" INTEGER NOT NULL DEFAULT 0,
    "duration_ms" INTEGER,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "job_steps_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "job_steps_key_check" CHECK ("key" ~ '^[a-z][a-z0-9_-]{0,63}$'),
    CONSTRAINT "job_steps_counts_check"
      CHECK ("ordinal" >= 0 AND "attempt" >= 0 AND "tokens_input" >= 0 AND "tokens_output" >= 0 AND "duration_ms" >= 0)
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX "job_steps_id_workspace_id_key" ON "job_steps"("id", "workspace_id");
CREATE UNIQUE INDEX "job_steps_job_id_key_key" ON "job_steps"("job_id", "key");
CREATE UNIQUE INDEX "job_steps_job_id_ordinal_key" ON "job_steps"("job_id", "ordinal");
-- Steps are found by their job only. No index holds the status, so a step's transitions stay in its page (HOT).

-- The workspace is part of every reference, so that no row can point into another tenant.
ALTER TABLE "job_steps" ADD CONSTRAINT "job_steps_job_id_workspace_id_fkey"
  FOREIGN KEY ("job_id", "workspace_id") REFERENCES "runner_jobs"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

CREATE TABLE "sandbox_jobs" (
    "id" UUID NOT NULL,
    "workspace_id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "step_id" UUID NOT NULL,
    "attempt" INTEGER NOT NULL,
    "job_type" TEXT NOT NULL DEFAULT 'command',
    "status" TEXT NOT NULL DEFAULT 'queued',
    "driver" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "duration_ms" INTEGER,
    "exit_code" INTEGER,
    "signal" TEXT,
    "failure_code" TEXT,
    "transcript_ref" TEXT,
    "transcript_bytes" BIGINT NOT NULL DEFAULT 0,
    "transcript_sha256" CHAR(64),
    "transcript_truncated" BOOLEAN NOT NULL DEFAULT false,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "sandbox_jobs_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "sandbox_jobs_status_check" CHECK ("status" IN ('queued', 'running', 'succeeded', 'failed')),
    CONSTRAINT "sandbox_jobs_transcript_check"
      CHECK ("transcript_bytes" >= 0 AND "transcript_sha256" ~ '^[0-9a-f]{64}$')
);

CREATE UNIQUE INDEX "sandbox_jobs_step_id_attempt_key" ON "sandbox_jobs"("step_id", "attempt");
CREATE INDEX "sandbox_jobs_job_id_job_type_idx" ON "sandbox_jobs"("job_id", "job_type");

ALTER TABLE "sandbox_jobs" ADD CONSTRAINT "sandbox_jobs_job_id_workspace_id_fkey"
  FOREIGN KEY ("job_id", "workspace_id") REFERENCES "runner_jobs"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "sandbox_jobs" ADD CONSTRAINT "sandbox_jobs_step_id_workspace_id_fkey"
  FOREIGN KEY ("step_id", "workspace_id") REFERENCES "job_steps"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- UNLOGGED: live output is worth no WAL. The transcript in the blob store is what counts; after a crash this table is empty.
CREATE UNLOGGED TABLE "transcript_chunks" (
    "sandbox_job_id" UUID NOT NULL,
    "workspace_id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "step_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "byte_offset" BIGINT NOT NULL,
    "text" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "transcript_chunks_pkey" PRIMARY KEY ("sandbox_job_id","seq"),
    CONSTRAINT "transcript_chunks_byte_offset_check" CHECK ("byte_offset" >= 0)
);

CREATE INDEX "transcript_chunks_job_id_idx" ON "transcript_chunks"("job_id");

ALTER TABLE "transcript_chunks" ADD CONSTRAINT "transcript_chunks_step_id_workspace_id_fkey"
  FOREIGN KEY ("step_id", "workspace_id") REFERENCES "job_steps"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
