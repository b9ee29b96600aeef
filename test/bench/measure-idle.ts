import { Redis } from 'ioredis';
import type { BenchSystem } from './bench-system.js';
import { round } from './measure-jobs.js';

/** What a system asks of its servers while nobody asks anything of it. */
export interface IdleFigures {
  backend: string;
  idleSeconds: number;
  statementsPerSecond: number;
  redisCommandsPerSecond: number | null;
}

export async function measureIdle(system: BenchSystem, seconds: number): Promise<IdleFigures> {
  // What the last jobs left to do is not idleness.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  const before = await counters(system);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const after = await counters(system);
  return {
    backend: system.backend,
    idleSeconds: seconds,
    statementsPerSecond: round((after.statements - before.statements) / seconds),
    redisCommandsPerSecond: after.commands === null ? null : round((after.commands - (before.commands ?? 0)) / seconds),
  };
}

async function counters(system: BenchSystem): Promise<{ statements: number; commands: number | null }> {
  const [row] = await system.sql<{ statements: number }>(
    `SELECT coalesce(sum(calls), 0)::int AS statements FROM pg_stat_statements WHERE userid <> current_user::regrole`,
  );
  return {
    statements: row?.statements ?? 0,
    commands: system.redis === undefined ? null : await redisCommands(system.redis.url),
  };
}

async function redisCommands(url: string): Promise<number> {
  const redis = new Redis(url);
  try {
    return Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1] ?? 0);
  } finally {
    redis.disconnect();
  }
}
