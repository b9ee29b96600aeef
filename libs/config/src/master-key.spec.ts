import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from './load-config.js';
import { MasterKey } from './master-key.js';

const HEX = '00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF';

describe('the master key', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'runledger-key-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));
  const masterKey = (): MasterKey => new MasterKey({ dataDir, masterKey: undefined });

  it('is taken from the configuration, in hexadecimal or base64, and then no file is made', async () => {
    const key = Buffer.from(HEX, 'hex');
    for (const text of [HEX, key.toString('base64'), key.toString('base64url')]) {
      const configured = new MasterKey(loadConfig({ DATA_DIR: dataDir, RUNLEDGER_MASTER_KEY: text }));
      expect((await configured.forSealing()).equals(key)).toBe(true);
    }
    expect(await readdir(dataDir)).toEqual([]);
  });

  it.each(['secret', HEX.slice(2), `${HEX}00`])('is refused when it is no 32 bytes, and not repeated: %s', (text) => {
    expect(() => loadConfig({ RUNLEDGER_MASTER_KEY: text })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.not.stringContaining(text) }),
    );
  });

  it('is made once for all who need it at the same moment, for its owner alone', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => masterKey().forSealing()));
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
    expect(await readdir(dataDir)).toEqual(['master.key']);
    expect((await stat(join(dataDir, 'master.key'))).mode & 0o777).toBe(0o600);
    expect((await masterKey().forOpening())?.equals(keys[0] ?? Buffer.alloc(0))).toBe(true);
  });

  it('is never made by those who only open', async () => {
    expect(await masterKey().forOpening()).toBeNull();
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('is not replaced when its file is damaged', async () => {
    const path = join(dataDir, 'master.key');
    await writeFile(path, 'oops');
    await expect(masterKey().forSealing()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(await readFile(path, 'utf8')).toBe('oops');
  });
});
