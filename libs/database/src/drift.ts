import { readCatalog } from './catalog.js';
import { readPrismaFiles } from './migration-files.js';
import type { MigrateOptions } from './migrate.js';
import { withSchemaEngine } from './schema-engine.js';

export interface Drift {
  drift: boolean;
  /** What differs, for a person; empty when nothing does. */
  summary: string;
}

const NO_FILTERS = { externalTables: [], externalEnums: [] };

/**
 * Compares three things that must say the same: the schema files, the migrations, and the live database. The migrations are run in
 * an empty database beside it, which needs the right to create one. Beyond what Prisma knows (tables, columns, keys, indexes, enums),
 * the database is compared with the migrations in checks, triggers, functions, policies and grants.
 */
export async function diff(ownerUrl: string, options: MigrateOptions = {}): Promise<Drift> {
  const files = readPrismaFiles(options.prismaFolder);
  const schema = files.schema.map(([path, content]) => ({ path, content }));
  const shadowCatalogs: string[][] = [];
  const onShadow = async (shadow: Parameters<typeof readCatalog>[0]): Promise<void> =>
    void shadowCatalogs.push(await readCatalog(shadow));

  const findings = await withSchemaEngine(
    ownerUrl,
    files,
    async (engine, database) => {
      const compare = async (
        title: string,
        from: Parameters<typeof engine.diff>[0]['from'],
        to: typeof from,
      ): Promise<string> => {
        const result = await engine.diff({ from, to, script: false, exitCode: true, filters: NO_FILTERS });
        return result.exitCode === 0 ? '' : `${title}\n${(result.stdout ?? '').trim()}`;
      };
      const migrations = { tag: 'migrations' as const, ...files.migrations };
      const datamodel = { tag: 'schemaDatamodel' as const, files: schema };
      const live = { tag: 'schemaDatasource' as const, files: schema, configDir: files.migrations.baseDir };
      const found = [
        await compare('From the migrations to the schema files:', migrations, datamodel),
        await compare('From the migrations to the database:', migrations, live),
      ];
      const expected = shadowCatalogs[0] ?? [];
      const actual = await readCatalog(database);
      const lines = [
        ...actual.filter((line) => !expected.includes(line)).map((line) => `[+] ${line}`),
        ...expected.filter((line) => !actual.includes(line)).map((line) => `[-] ${line}`),
      ];
      if (lines.length > 0) found.push(`In the database, beyond what Prisma knows:\n${lines.join('\n')}`);
      return found.filter((finding) => finding !== '');
    },
    onShadow,
  );
  return { drift: findings.length > 0, summary: findings.join('\n\n') };
}
