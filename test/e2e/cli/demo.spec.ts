import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from './run-cli.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runledger demo '));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('runledger demo', () => {
  it('takes the inventory of this checkout, proves its ledger and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await runCli(['demo'], { env: { SANDBOX: 'process', TMPDIR: folder } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const expected = [
      'SANDBOX=process',
      '✓ Take the inventory',
      '✓ COMPLETED',
      '# Source inventory',
      'job.completed',
      'chain intact',
      'nothing left behind',
    ];
    for (const text of expected) expect(stdout).toContain(text);
    expect(await readdir(folder)).toEqual([]);
  }, 120_000);

  it('needs neither configuration nor a database of the person who tries it', async () => {
    const env = {
      SANDBOX: 'process',
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
      REDIS_URL: 'redis://127.0.0.1:1',
      PORT: '1',
      DATA_DIR: folder,
    };
    const { code } = await runCli(['demo'], { env });
    expect(code).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  }, 120_000);
});
