-- Versions count per (workspace, project or none, kind, logical key). Artifacts without a project are one series and not one each:
-- hence NULLS NOT DISTINCT.
ALTER TABLE "artifacts" ADD COLUMN "project_id" UUID;

DROP INDEX "artifacts_workspace_id_kind_logical_key_version_key";
CREATE UNIQUE INDEX "artifacts_series_version_key" ON "artifacts"("workspace_id", "project_id", "kind", "logical_key", "version")
  NULLS NOT DISTINCT;

-- Lists of a workspace, newest first, each filter with an index in the order of the list.
CREATE UNIQUE INDEX "artifacts_workspace_id_id_key" ON "artifacts"("workspace_id", "id");
CREATE INDEX "artifacts_workspace_id_project_id_id_idx" ON "artifacts"("workspace_id", "project_id", "id");
CREATE INDEX "artifacts_workspace_id_kind_id_idx" ON "artifacts"("workspace_id", "kind", "id");
CREATE INDEX "artifacts_workspace_id_logical_key_id_idx" ON "artifacts"("workspace_id", "logical_key", "id");

-- A series has an id of its own, because a primary key takes no NULL, and knows its latest artifact, because a join over
-- a column that may be NULL uses no index.
ALTER TABLE "artifact_series"
  ADD COLUMN "id" UUID NOT NULL DEFAULT gen_random_uuid(),
  ADD COLUMN "project_id" UUID,
  ADD COLUMN "latest_artifact_id" UUID;

UPDATE "artifact_series" AS series SET "latest_artifact_id" = artifact."id"
FROM "artifacts" AS artifact
WHERE artifact."workspace_id" = series."workspace_id" AND artifact."kind" = series."kind"
  AND artifact."logical_key" = series."logical_key" AND artifact."version" = series."latest_version";

ALTER TABLE "artifact_series" DROP CONSTRAINT "artifact_series_pkey";
ALTER TABLE "artifact_series"
  ALTER COLUMN "latest_artifact_id" SET NOT NULL,
  ADD CONSTRAINT "artifact_series_pkey" PRIMARY KEY ("id");

CREATE UNIQUE INDEX "artifact_series_key" ON "artifact_series"("workspace_id", "project_id", "kind", "logical_key") NULLS NOT DISTINCT;
CREATE UNIQUE INDEX "artifact_series_workspace_id_latest_artifact_id_key" ON "artifact_series"("workspace_id", "latest_artifact_id");

ALTER TABLE "artifact_series" ADD CONSTRAINT "artifact_series_workspace_id_latest_artifact_id_fkey"
  FOREIGN KEY ("workspace_id", "latest_artifact_id") REFERENCES "artifacts"("workspace_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- The counter is a claim about history too: it goes up by one, for the same series, and never away.
CREATE FUNCTION runledger_count_up_series() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.latest_version = OLD.latest_version + 1 AND NEW.id = OLD.id AND NEW.workspace_id = OLD.workspace_id
    AND NEW.project_id IS NOT DISTINCT FROM OLD.project_id AND NEW.kind = OLD.kind AND NEW.logical_key = OLD.logical_key THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'artifact_series only counts up, by one: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
REVOKE ALL ON FUNCTION runledger_count_up_series() FROM PUBLIC;

CREATE TRIGGER artifact_series_count_up BEFORE UPDATE OR DELETE ON "artifact_series" FOR EACH ROW EXECUTE FUNCTION runledger_count_up_series();
CREATE TRIGGER artifact_series_refuse_truncate BEFORE TRUNCATE ON "artifact_series" FOR EACH STATEMENT EXECUTE FUNCTION runledger_count_up_series();
ALTER TABLE "artifact_series" ENABLE ALWAYS TRIGGER artifact_series_count_up;
ALTER TABLE "artifact_series" ENABLE ALWAYS TRIGGER artifact_series_refuse_truncate;
