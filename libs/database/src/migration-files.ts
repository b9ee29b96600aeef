import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MigrationList } from '@prisma/schema-engine-wasm';

/** The contents of a `prisma` folder. */
export interface PrismaFiles {
  /** Path and text of every schema file. */
  schema: [path: string, content: string][];
  /** The migrations, oldest first, in the form that Prisma's engine takes. */
  migrations: MigrationList;
}

/** The `prisma` folder of this installation: beside `libs` for the sources, beside `dist` for the build. */
export function defaultPrismaFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'prisma', 'migrations'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('no folder prisma/migrations above the database library');
    folder = parent;
  }
  return join(folder, 'prisma');
}

/** Reads schema and migrations. A migration is a folder that holds `migration.sql`. */
export function readPrismaFiles(prismaFolder = defaultPrismaFolder()): PrismaFiles {
  const schemaFolder = join(prismaFolder, 'schema');
  const migrationsFolder = join(prismaFolder, 'migrations');
  const read = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8');
  const lock = join(migrationsFolder, 'migration_lock.toml');
  return {
    schema: readdirSync(schemaFolder)
      .filter((name) => name.endsWith('.prisma'))
      .sort()
      .map((name) => [join(schemaFolder, name), read(schemaFolder, name)]),
    migrations: {
      baseDir: migrationsFolder,
      lockfile: { path: 'migration_lock.toml', content: existsSync(lock) ? readFileSync(lock, 'utf8') : null },
      shadowDbInitScript: '',
      migrationDirectories: readdirSync(migrationsFolder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && existsSync(join(migrationsFolder, entry.name, 'migration.sql')))
        .map((entry) => entry.name)
        .sort()
        .map((name) => ({
          path: name,
          migrationFile: {
            path: 'migration.sql',
            content: { tag: 'ok', value: read(join(migrationsFolder, name), 'migration.sql') },
          },
        })),
    },
  };
}

/** The SQL that takes one migration back, or undefined when the folder has none. */
export function readDownScript(migrationsFolder: string, name: string): string | undefined {
  const path = join(migrationsFolder, name, 'down.sql');
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
