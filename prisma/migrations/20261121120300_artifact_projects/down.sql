-- Without projects, a kind and a logical key name one series. Where two projects have the same, or one has it beside the workspace,
-- there is no way back that keeps all of them: better none.
DO $check$
BEGIN
  IF EXISTS (SELECT FROM "artifact_series" GROUP BY "workspace_id", "kind", "logical_key" HAVING count(*) > 1) THEN
    RAISE EXCEPTION 'several projects have artifacts under the same kind and logical key: they cannot become one series';
  END IF;
END
$check$;

DROP TRIGGER artifact_series_refuse_truncate ON "artifact_series";
DROP TRIGGER artifact_series_count_up ON "artifact_series";
DROP FUNCTION runledger_count_up_series();

ALTER TABLE "artifact_series" DROP CONSTRAINT "artifact_series_workspace_id_latest_artifact_id_fkey";
DROP INDEX "artifact_series_workspace_id_latest_artifact_id_key";
DROP INDEX "artifact_series_key";
ALTER TABLE "artifact_series" DROP CONSTRAINT "artifact_series_pkey";
ALTER TABLE "artifact_series" DROP COLUMN "id", DROP COLUMN "project_id", DROP COLUMN "latest_artifact_id";
ALTER TABLE "artifact_series" ADD CONSTRAINT "artifact_series_pkey" PRIMARY KEY ("workspace_id","kind","logical_key");

DROP INDEX "artifacts_workspace_id_logical_key_id_idx";
DROP INDEX "artifacts_workspace_id_kind_id_idx";
DROP INDEX "artifacts_workspace_id_project_id_id_idx";
DROP INDEX "artifacts_workspace_id_id_key";
DROP INDEX "artifacts_series_version_key";
ALTER TABLE "artifacts" DROP COLUMN "project_id";
CREATE UNIQUE INDEX "artifacts_workspace_id_kind_logical_key_version_key" ON "artifacts"("workspace_id", "kind", "logical_key", "version");
