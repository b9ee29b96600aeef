REVOKE USAGE ON SCHEMA public FROM runledger_api, runledger_worker;

-- Another database of the cluster may still use the roles: then they stay.
DO $roles$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['runledger_api', 'runledger_worker'] LOOP
    BEGIN
      EXECUTE pg_catalog.format('DROP ROLE IF EXISTS %I', role_name);
    EXCEPTION
      WHEN dependent_objects_still_exist OR insufficient_privilege OR object_in_use OR undefined_object THEN
        RAISE NOTICE 'role % stays: %', role_name, SQLERRM;
    END;
  END LOOP;
END
$roles$;
