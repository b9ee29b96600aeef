import type { SqlQueryable } from '@prisma/driver-adapter-utils';

/**
 * One line for each thing that Prisma's schema cannot say: checks, partial indexes and those in which NULLs are equal, triggers, functions, policies, grants, storage
 * options, partition keys. Partitions themselves are left out: how many there are depends on the date.
 */
const CATALOG = `
WITH relation AS (
  SELECT c.oid, c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.reloptions, c.relacl, c.relowner
  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relname <> '_prisma_migrations'
)
SELECT line FROM (
  SELECT format('table %s: kind %s, persistence %s, row security %s, forced %s, options %s', relname, relkind, relpersistence,
                relrowsecurity, relforcerowsecurity, coalesce(reloptions::text, 'none')) AS line FROM relation
  UNION ALL
  SELECT format('table %s: partitioned %s', relname, pg_get_partkeydef(oid)) FROM relation WHERE relkind = 'p'
  UNION ALL
  SELECT format('constraint %s on %s: %s', conname, relname, pg_get_constraintdef(con.oid))
  FROM relation JOIN pg_constraint con ON con.conrelid = relation.oid WHERE con.contype IN ('c', 'x')
  UNION ALL
  SELECT format('column %s.%s: %s%s', relname, attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN ' not null' ELSE '' END)
  FROM relation JOIN pg_attribute ON attrelid = relation.oid WHERE attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT format('index on %s: %s', relname, pg_get_indexdef(indexrelid)) FROM relation JOIN pg_index ON indrelid = relation.oid
  WHERE indpred IS NOT NULL OR indnullsnotdistinct
  UNION ALL
  SELECT format('trigger on %s: %s, enabled %s', relname, pg_get_triggerdef(t.oid), tgenabled)
  FROM relation JOIN pg_trigger t ON tgrelid = relation.oid WHERE NOT tgisinternal
  UNION ALL
  SELECT format('policy %s on %s: %s for %s to %s using (%s) with check (%s)', polname, relname,
                CASE WHEN polpermissive THEN 'permissive' ELSE 'restrictive' END, polcmd, polroles::regrole[],
                pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
  FROM relation JOIN pg_policy ON polrelid = relation.oid
  UNION ALL
  SELECT format('grant %s on %s to %s', privilege_type, relname, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
  FROM relation, aclexplode(relacl) WHERE grantee <> relowner
  UNION ALL
  SELECT format('grant %s on %s.%s to %s', privilege_type, relname, attname, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
  FROM relation JOIN pg_attribute ON attrelid = relation.oid, aclexplode(attacl) WHERE NOT attisdropped
  UNION ALL
  SELECT format('function %s, access %s', pg_get_functiondef(p.oid), coalesce(
    (SELECT string_agg(format('%s to %s', privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END), ', ' ORDER BY 1)
     FROM aclexplode(proacl) WHERE grantee <> proowner), CASE WHEN proacl IS NULL THEN 'EXECUTE to PUBLIC' ELSE 'none' END))
  FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
  UNION ALL
  SELECT format('schema %s', nspname) FROM pg_namespace WHERE nspname = 'runledger_partitions'
) AS catalog ORDER BY line`;

/** The catalogue of a database, as sorted lines that can be compared. */
export async function readCatalog(database: SqlQueryable): Promise<string[]> {
  const { rows } = await database.queryRaw({ sql: CATALOG, args: [], argTypes: [] });
  return rows.map((row) => String(row[0]));
}
