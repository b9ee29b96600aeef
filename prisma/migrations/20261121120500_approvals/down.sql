DROP FUNCTION runledger_find_api_key(text);
CREATE FUNCTION runledger_find_api_key(key_hash text)
RETURNS TABLE (
  id uuid,
  workspace_id uuid,
  workspace_name text,
  name text,
  scopes text[],
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT k.id, k.workspace_id, w.name, k.name, k.scopes, k.expires_at, k.last_used_at, k.revoked_at
  FROM public.api_keys k JOIN public.workspaces w ON w.id = k.workspace_id
  WHERE k.key_hash = runledger_find_api_key.key_hash::bpchar
$$;
REVOKE ALL ON FUNCTION runledger_find_api_key(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION runledger_find_api_key(text) TO runledger_api;
UPDATE "api_keys" SET "scopes" = array_remove("scopes", 'approvals:write');
ALTER TABLE "api_keys" DROP COLUMN "roles";
DROP TABLE "approval_decisions";
DROP TABLE "approvals";
DROP FUNCTION runledger_guard_approval();
