import { resolve } from 'node:path';
import { AppError } from '#kernel';
import { loadConfig } from './load-config.js';

describe('loadConfig', () => {
  it('gives the embedded defaults when nothing is set', () => {
    const config = loadConfig({});
    expect(config.database.url).toBeUndefined();
    expect(config.redisUrl).toBeUndefined();
    expect(config.dataDir).toBe(resolve('.runledger'));
    expect(config.http).toEqual({ host: '127.0.0.1', port: 3000, stalledAfterMs: 30_000 });
    expect(config.sandbox).toEqual({
      driver: 'bubblewrap',
      readOnlyPaths: [],
      docker: { image: 'node:20-bookworm', socket: '/var/run/docker.sock' },
    });
  });

  it('migrates with the runtime connection unless an owner is named', () => {
    expect(loadConfig({ DATABASE_URL: 'postgres://a/b' }).database.ownerUrl).toBe('postgres://a/b');
    expect(
      loadConfig({ DATABASE_URL: 'postgres://a/b', DATABASE_OWNER_URL: 'postgres://o@a/b' }).database.ownerUrl,
    ).toBe('postgres://o@a/b');
  });

  it('treats an empty value as absent', () => {
    expect(loadConfig({ PORT: '', REDIS_URL: '', SANDBOX: '' })).toEqual(loadConfig({}));
  });

  it('names every wrong variable at once and repeats no password', () => {
    const wrong = {
      PORT: '70000',
      SANDBOX: 'none',
      DATABASE_URL: 'mysql://u:hunter2@h/d',
      SANDBOX_READ_ONLY_PATHS: '/usr:relative',
      RUNNER_LEASE_MS: '6s',
    };
    let caught: unknown;
    try {
      loadConfig(wrong);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(AppError);
    const error = caught as AppError;
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.fields.map((field) => field.field).sort()).toEqual(Object.keys(wrong).sort());
    expect(error.message).not.toContain('hunter2');
  });
});
