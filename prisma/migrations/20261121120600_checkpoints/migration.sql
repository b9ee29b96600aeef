-- Where the newest workdir of a job is (`workdir_host`), any other host may still go on with it while a checkpoint of it is kept where
-- all hosts can read it. Delivery, no part of the history.
ALTER TABLE "runner_jobs" ADD COLUMN "workdir_kept" BOOLEAN NOT NULL DEFAULT false;

-- When a worker of a host was last seen. A host that stops its workers to start them again is not gone, and neither are its workdirs.
CREATE TABLE "worker_hosts" (
    "name" TEXT NOT NULL,
    "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "worker_hosts_pkey" PRIMARY KEY ("name")
);
GRANT SELECT, INSERT, UPDATE, DELETE ON "worker_hosts" TO runledger_worker;

-- The blobs in which workdirs are kept, so that they can be removed: written before the blob is, so that none is forgotten. What was kept
-- is in the ledger; this is the store's bookkeeping.
CREATE TABLE "checkpoints" (
    "id" UUID NOT NULL,
    "workspace_id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "phase" job_step_phase NOT NULL,
    "blob_key" TEXT NOT NULL,
    -- On whose disk the blob is, where hosts do not share them.
    "host" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    -- When it is to be removed; NULL while its job goes on.
    "due_at" TIMESTAMPTZ(3),

    CONSTRAINT "checkpoints_pkey" PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "checkpoints_blob_key_key" ON "checkpoints"("blob_key");
CREATE INDEX "checkpoints_job_id_idx" ON "checkpoints"("job_id");
CREATE INDEX "checkpoints_due_at_idx" ON "checkpoints"("due_at") WHERE "due_at" IS NOT NULL;
CREATE INDEX "checkpoints_undated_idx" ON "checkpoints"("job_id", "id") WHERE "due_at" IS NULL;

ALTER TABLE "checkpoints" ADD CONSTRAINT "checkpoints_job_id_workspace_id_fkey"
  FOREIGN KEY ("job_id", "workspace_id") REFERENCES "runner_jobs"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

ALTER TABLE "checkpoints" ENABLE ROW LEVEL SECURITY;
CREATE POLICY checkpoints_api ON "checkpoints" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY checkpoints_worker ON "checkpoints" TO runledger_worker USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON "checkpoints" TO runledger_worker;
