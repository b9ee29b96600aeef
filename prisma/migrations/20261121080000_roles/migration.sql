-- The two roles that processes run as. They own nothing and may create nothing; what each may touch is granted, table by table,
-- in the last migration. Roles belong to the whole cluster, so they may exist already, be created by another database at this
-- very moment, or be dropped by one that is being taken down: hence the loop.
DO $roles$
DECLARE
  role_name text;
  -- Version 16 told being a member and being allowed to SET ROLE apart.
  membership text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['runledger_api', 'runledger_worker'] LOOP
    LOOP
      BEGIN
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
          EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
        -- Also what ties the role to this database from now on: no other database can drop it any more.
        EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA public TO %I', role_name);
        EXIT;
      EXCEPTION
        WHEN duplicate_object OR unique_violation OR undefined_object THEN
          NULL; -- somebody else was faster; look again
        WHEN insufficient_privilege THEN
          RAISE EXCEPTION 'role % does not exist and % may not create it', role_name, current_user
            USING HINT = pg_catalog.format(
              'Let an administrator run: CREATE ROLE %I NOLOGIN; GRANT %I TO %I;', role_name, role_name, current_user);
      END;
    END LOOP;

    -- Processes may log in as the owner and become the role (`-c role=...`): the owner has to be a member. A superuser always may.
    IF NOT pg_catalog.pg_has_role(current_user, role_name, membership) THEN
      BEGIN
        EXECUTE pg_catalog.format('GRANT %I TO %I', role_name, current_user);
      EXCEPTION WHEN insufficient_privilege THEN
        -- No harm where the processes have logins of their own that are members.
        RAISE WARNING '% cannot become role %: let an administrator run: GRANT % TO %;', current_user, role_name, quote_ident(role_name), quote_ident(current_user);
      END;
    END IF;
  END LOOP;
END
$roles$;

-- PostgreSQL 15 and later do so themselves; a database that was upgraded from an older one may still allow it.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
