-- A request for a decision that people take, bound to exact content by its digest. What was asked never changes; only its status moves.
CREATE TABLE "approvals" (
    "id" UUID NOT NULL,
    "workspace_id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "step_id" UUID NOT NULL,
    "scope" TEXT NOT NULL,
    "subject" JSONB NOT NULL,
    "subject_digest" CHAR(64) NOT NULL,
    "min_approvals" INTEGER NOT NULL,
    "approver_roles" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[],
    "status" TEXT NOT NULL DEFAULT 'PENDING',
    "replaces_id" UUID,
    "requested_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "decided_at" TIMESTAMPTZ(3),

    CONSTRAINT "approvals_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "approvals_subject_digest_check" CHECK ("subject_digest" ~ '^[0-9a-f]{64}$'),
    CONSTRAINT "approvals_min_approvals_check" CHECK ("min_approvals" >= 1),
    CONSTRAINT "approvals_expires_at_check" CHECK ("expires_at" > "requested_at"),
    CONSTRAINT "approvals_status_check" CHECK ("status" IN ('PENDING', 'GRANTED', 'REJECTED', 'EXPIRED', 'VOID', 'CANCELLED')),
    CONSTRAINT "approvals_decided_at_check" CHECK (("status" = 'PENDING') = ("decided_at" IS NULL))
);

-- What a decision names: this request of this workspace, with this content.
CREATE UNIQUE INDEX "approvals_id_workspace_id_subject_digest_key" ON "approvals"("id", "workspace_id", "subject_digest");
CREATE INDEX "approvals_workspace_id_id_idx" ON "approvals"("workspace_id", "id");
CREATE INDEX "approvals_job_id_id_idx" ON "approvals"("job_id", "id");
CREATE INDEX "approvals_step_id_id_idx" ON "approvals"("step_id", "id");
-- A gate has one question open at a time, and what is open is found at once, however much was decided before.
CREATE UNIQUE INDEX "approvals_step_id_pending_key" ON "approvals"("step_id") WHERE "status" = 'PENDING';
CREATE INDEX "approvals_workspace_id_pending_idx" ON "approvals"("workspace_id", "id") WHERE "status" = 'PENDING';

ALTER TABLE "approvals" ADD CONSTRAINT "approvals_job_id_workspace_id_fkey"
  FOREIGN KEY ("job_id", "workspace_id") REFERENCES "runner_jobs"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "approvals" ADD CONSTRAINT "approvals_step_id_workspace_id_fkey"
  FOREIGN KEY ("step_id", "workspace_id") REFERENCES "job_steps"("id", "workspace_id") ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE "approvals" ADD CONSTRAINT "approvals_replaces_id_fkey"
  FOREIGN KEY ("replaces_id") REFERENCES "approvals"("id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- What one actor decided, once. Immutable, and bound to the digest of what was decided about.
CREATE TABLE "approval_decisions" (
    "id" UUID NOT NULL,
    "workspace_id" UUID NOT NULL,
    "approval_id" UUID NOT NULL,
    "decision" TEXT NOT NULL,
    "comment" TEXT,
    "actor_type" TEXT NOT NULL,
    "actor_id" TEXT NOT NULL,
    "actor_name" TEXT NOT NULL,
    "subject_digest" CHAR(64) NOT NULL,
    "decided_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "approval_decisions_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "approval_decisions_decision_check" CHECK ("decision" IN ('grant', 'reject')),
    CONSTRAINT "approval_decisions_comment_check" CHECK (char_length("comment") <= 2000)
);

CREATE UNIQUE INDEX "approval_decisions_approval_id_actor_type_actor_id_key" ON "approval_decisions"("approval_id", "actor_type", "actor_id");
ALTER TABLE "approval_decisions" ADD CONSTRAINT "approval_decisions_approval_id_workspace_id_subject_digest_fkey"
  FOREIGN KEY ("approval_id", "workspace_id", "subject_digest") REFERENCES "approvals"("id", "workspace_id", "subject_digest")
  ON DELETE NO ACTION ON UPDATE NO ACTION;

CREATE TRIGGER approval_decisions_refuse_change BEFORE UPDATE OR DELETE ON "approval_decisions"
  FOR EACH ROW EXECUTE FUNCTION runledger_refuse_change();
CREATE TRIGGER approval_decisions_refuse_truncate BEFORE TRUNCATE ON "approval_decisions"
  FOR EACH STATEMENT EXECUTE FUNCTION runledger_refuse_change();
ALTER TABLE "approval_decisions" ENABLE ALWAYS TRIGGER approval_decisions_refuse_change;
ALTER TABLE "approval_decisions" ENABLE ALWAYS TRIGGER approval_decisions_refuse_truncate;

-- Whatever a program has in mind: a request is granted when enough have granted it, rejected when one has rejected it, void only after
-- it was granted, and nothing but its status ever moves.
CREATE FUNCTION runledger_guard_approval() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  expected public.approvals;
  decided integer;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    expected := OLD;
    expected.status := NEW.status;
    expected.decided_at := NEW.decided_at;
    IF NEW IS NOT DISTINCT FROM expected THEN
      IF OLD.status = 'PENDING' AND NEW.status IN ('EXPIRED', 'CANCELLED') OR OLD.status = 'GRANTED' AND NEW.status = 'VOID' THEN
        RETURN NEW;
      END IF;
      IF OLD.status = 'PENDING' AND NEW.status IN ('GRANTED', 'REJECTED') THEN
        SELECT count(*) INTO decided FROM public.approval_decisions AS d
        WHERE d.approval_id = OLD.id AND d.decision = CASE NEW.status WHEN 'GRANTED' THEN 'grant' ELSE 'reject' END;
        IF decided >= (CASE NEW.status WHEN 'GRANTED' THEN OLD.min_approvals ELSE 1 END) THEN
          RETURN NEW;
        END IF;
      END IF;
    END IF;
  END IF;
  RAISE EXCEPTION 'approvals move by decisions only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER approvals_guard BEFORE UPDATE OR DELETE ON "approvals" FOR EACH ROW EXECUTE FUNCTION runledger_guard_approval();
CREATE TRIGGER approvals_refuse_truncate BEFORE TRUNCATE ON "approvals" FOR EACH STATEMENT EXECUTE FUNCTION runledger_guard_approval();
ALTER TABLE "approvals" ENABLE ALWAYS TRIGGER approvals_guard;
ALTER TABLE "approvals" ENABLE ALWAYS TRIGGER approvals_refuse_truncate;

REVOKE ALL ON FUNCTION runledger_guard_approval() FROM PUBLIC;

ALTER TABLE "approvals" ENABLE ROW LEVEL SECURITY;
CREATE POLICY approvals_api ON "approvals" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY approvals_worker ON "approvals" TO runledger_worker USING (true);

ALTER TABLE "approval_decisions" ENABLE ROW LEVEL SECURITY;
CREATE POLICY approval_decisions_api ON "approval_decisions" TO runledger_api
  USING ("workspace_id" = nullif(current_setting('runledger.workspace_id', true), '')::uuid);
CREATE POLICY approval_decisions_worker ON "approval_decisions" TO runledger_worker USING (true);

-- Workers ask, people decide through the API.
GRANT SELECT, INSERT ON "approvals" TO runledger_worker;
GRANT SELECT ON "approvals" TO runledger_api;
GRANT UPDATE ("status", "decided_at") ON "approvals" TO runledger_api, runledger_worker;
GRANT SELECT, INSERT ON "approval_decisions" TO runledger_api;
GRANT SELECT ON "approval_decisions" TO runledger_worker;

-- Which of an approval's roles a key carries: free names.
ALTER TABLE "api_keys" ADD COLUMN "roles" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[];

-- A key that could do everything still can.
UPDATE "api_keys" SET "scopes" = "scopes" || ARRAY['approvals:write'] WHERE "scopes" @> ARRAY['jobs:read', 'jobs:write', 'admin'];

DROP FUNCTION runledger_find_api_key(text);
CREATE FUNCTION runledger_find_api_key(key_hash text)
RETURNS TABLE (
  id uuid,
  workspace_id uuid,
  workspace_name text,
  name text,
  scopes text[],
  roles text[],
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT k.id, k.workspace_id, w.name, k.name, k.scopes, k.roles, k.expires_at, k.last_used_at, k.revoked_at
  FROM public.api_keys k JOIN public.workspaces w ON w.id = k.workspace_id
  WHERE k.key_hash = runledger_find_api_key.key_hash::bpchar
$$;
REVOKE ALL ON FUNCTION runledger_find_api_key(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION runledger_find_api_key(text) TO runledger_api;
