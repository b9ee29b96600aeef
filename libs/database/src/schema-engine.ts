import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  ColumnTypeEnum,
  DriverAdapterError,
  bindMigrationAwareSqlAdapterFactory,
  type MappedError,
  type SqlDriverAdapter,
  type SqlQueryable,
} from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import type { PrismaFiles } from './migration-files.js';

type EngineModule = typeof import('@prisma/schema-engine-wasm/schema_engine_bg');

/**
 * Prisma's adapter for pg knows no column of type "char", yet the engine's own catalogue queries select three. They are read as text
 * and handed over as characters.
 */
const CHAR_EXPRESSIONS = /\bconstr\.contype(?= AS)|\bcon\.conf(?:del|upd)type(?=,)/g;
const CHAR_COLUMNS = ['constraint_type', 'confdeltype', 'confupdtype'];

/** The part of the global that is used here; the compiler's Node types do not have it. */
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: Record<string, Functions>): Promise<{ instance: { exports: Functions } }>;
};
type Functions = Record<string, unknown>;

let loading: Promise<EngineModule> | undefined;

/** Loads Prisma's schema engine from npm's WASM build, once per process. Nothing is downloaded. */
function loadEngine(): Promise<EngineModule> {
  loading ??= (async () => {
    const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg');
    // The package's own entry imports the .wasm file as a module, which Node 20 cannot do.
    const folder = dirname(createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
    const bytes = await readFile(join(folder, 'schema_engine_bg.wasm'));
    const { instance } = await WebAssembly.instantiate(bytes, {
      './schema_engine_bg.js': withQuietTimers({ ...glue }),
    });
    glue.__wbg_set_wasm(instance.exports);
    const start = instance.exports['__wbindgen_start'];
    if (typeof start === 'function') start();
    return glue;
  })();
  return loading;
}

/** The engine never clears the timer of its lock (10 s); it must not keep a finished process alive. */
function withQuietTimers(imports: Functions): Functions {
  for (const [name, start] of Object.entries(imports)) {
    if (!name.startsWith('__wbg_setTimeout') || typeof start !== 'function') continue;
    imports[name] = (...args: unknown[]): unknown => {
      const timer: unknown = start(...args);
      if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
        timer.unref();
      return timer;
    };
  }
  return imports;
}

/**
 * Gives `use` a schema engine on the database of `ownerUrl` and that database itself, and closes both afterwards.
 * @param onShadow sees each shadow database (in which the engine runs the migrations to compare them) before it is dropped
 */
export async function withSchemaEngine<Result>(
  ownerUrl: string,
  files: PrismaFiles,
  use: (engine: SchemaEngine, database: SqlQueryable) => Promise<Result>,
  onShadow: (shadow: SqlQueryable) => Promise<void> = () => Promise.resolve(),
): Promise<Result> {
  const { SchemaEngine } = await loadEngine();
  const pool = migrationPool(ownerUrl);
  try {
    const connect = async (): Promise<SqlDriverAdapter> => repaired(await new PrismaPg(pool).connect(), pool);
    const adapters = bindMigrationAwareSqlAdapterFactory({
      provider: 'postgres',
      adapterName: '@prisma/adapter-pg',
      connect,
      connectToShadowDb: () => connectToShadowDatabase(pool, ownerUrl, onShadow),
    });
    const engine = await SchemaEngine.new({ datamodels: files.schema }, () => undefined, adapters);
    try {
      return await use(engine, await connect());
    } finally {
      engine.free();
    }
  } finally {
    await pool.end();
  }
}

function migrationPool(url: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'runledger-migrate',
    max: 2,
    connectionTimeoutMillis: 5_000,
  });
  pool.on('error', () => undefined);
  return pool;
}

/**
 * Prisma's adapter splits a script at every `;`, which cuts function bodies apart. PostgreSQL takes a whole script in one simple
 * query and runs it as one transaction, as Prisma's native engine does.
 */
function repaired(adapter: SqlDriverAdapter, pool: pg.Pool): SqlDriverAdapter {
  adapter.executeScript = async (script) => {
    try {
      await pool.query(script);
    } catch (error) {
      throw error instanceof pg.DatabaseError ? new DriverAdapterError(asPostgresError(error)) : error;
    }
  };
  const queryRaw = adapter.queryRaw.bind(adapter);
  adapter.queryRaw = async (query) => {
    const result = await queryRaw({ ...query, sql: query.sql.replace(CHAR_EXPRESSIONS, '$&::text') });
    result.columnNames.forEach((name, index) => {
      if (CHAR_COLUMNS.includes(name)) result.columnTypes[index] = ColumnTypeEnum.Character;
    });
    return result;
  };
  return adapter;
}

/** The form in which the engine reports what the server said. */
function asPostgresError({ code, severity, message, detail, column, hint }: pg.DatabaseError): MappedError {
  return { kind: 'postgres', code: code ?? '', severity: severity ?? 'ERROR', message, detail, column, hint };
}

/** An empty database in the same cluster, dropped on dispose whoever may still be connected to it. */
async function connectToShadowDatabase(
  pool: pg.Pool,
  ownerUrl: string,
  onShadow: (shadow: SqlQueryable) => Promise<void>,
): Promise<SqlDriverAdapter> {
  const name = `runledger_shadow_${randomUUID().replaceAll('-', '')}`;
  await pool.query(`CREATE DATABASE ${name} TEMPLATE template0`);
  const url = new URL(ownerUrl);
  url.pathname = `/${name}`;
  const shadow = migrationPool(url.href);
  const adapter = repaired(await new PrismaPg(shadow).connect(), shadow);
  adapter.dispose = async () => {
    try {
      await onShadow(adapter);
    } finally {
      await shadow.end();
      await pool.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    }
  };
  return adapter;
}
