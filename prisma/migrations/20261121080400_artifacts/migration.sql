CREATE TABLE "artifacts" (
    "id" UUID NOT NULL,
    "workspace_id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "step_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "logical_key" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "path" TEXT NOT NULL,
    "media_type" TEXT NOT NULL,
    "size_bytes" BIGINT NOT NULL,
    "sha256" CHAR(64) NOT NULL,
    "blob_key" TEXT NOT NULL,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "artifacts_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "artifacts_version_check" CHECK ("version" > 0),
    CONSTRAINT "artifacts_size_bytes_check" CHECK ("size_bytes" >= 0),
    CONSTRAINT "artifacts_sha256_check" CHECK ("sha256" ~ '^[0-9a-f]{64}$')
);

CREATE UNIQUE INDEX "artifacts_workspace_id_kind_logical_key_version_key" ON "artifacts"("workspace_id", "kind", "logical_key", "version");
CREATE UNIQUE INDEX "artifacts_step_id_path_key" ON "artifacts"("step_id", "path");
CREATE INDEX "artifacts_job_id_id_idx" ON "artifacts"("job_id", "id");

ALTER TABLE "artifacts" ADD CONSTRAINT "artifacts_job_id_workspace_id_fkey"
  FOREIGN KEY ("job_id", "workspace_id") REFERENCES "runner_jobs"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "artifacts" ADD CONSTRAINT "artifacts_step_id_workspace_id_fkey"
  FOREIGN KEY ("step_id", "workspace_id") REFERENCES "job_steps"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;

CREATE TRIGGER artifacts_refuse_change BEFORE UPDATE OR DELETE ON "artifacts" FOR EACH ROW EXECUTE FUNCTION runledger_refuse_change();
CREATE TRIGGER artifacts_refuse_truncate BEFORE TRUNCATE ON "artifacts" FOR EACH STATEMENT EXECUTE FUNCTION runledger_refuse_change();
ALTER TABLE "artifacts" ENABLE ALWAYS TRIGGER artifacts_refuse_change;
ALTER TABLE "artifacts" ENABLE ALWAYS TRIGGER artifacts_refuse_truncate;

CREATE TABLE "artifact_series" (
    "workspace_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "logical_key" TEXT NOT NULL,
    "latest_version" INTEGER NOT NULL,

    CONSTRAINT "artifact_series_pkey" PRIMARY KEY ("workspace_id","kind","logical_key"),
    CONSTRAINT "artifact_series_latest_version_check" CHECK ("latest_version" > 0)
);

ALTER TABLE "artifact_series" ADD CONSTRAINT "artifact_series_workspace_id_fkey"
  FOREIGN KEY ("workspace_id") REFERENCES "workspaces"("id") ON DELETE RESTRICT ON UPDATE NO ACTION;
