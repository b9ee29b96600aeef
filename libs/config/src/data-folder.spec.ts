import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '#kernel';
import { makeDataFolder } from './data-folder.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runledger data '));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const failure = (path: string): Promise<unknown> =>
  makeDataFolder(path).then(
    () => 'it was made',
    (error: unknown) => error,
  );

describe('makeDataFolder', () => {
  it('makes every missing folder on the way, for the owner alone, and takes what is there', async () => {
    const data = join(folder, 'a/b/c');
    await makeDataFolder(data);
    await makeDataFolder(data);
    expect((await stat(data)).mode & 0o777).toBe(0o700);
    await symlink(data, join(folder, 'link'));
    await makeDataFolder(join(folder, 'link'));
    await makeDataFolder(join(folder, 'link/d'));
    expect(existsSync(join(data, 'd'))).toBe(true);
  });

  it('says that a file is in the way', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    for (const path of [file, join(file, 'below')]) {
      const error = await failure(path);
      expect(error).toBeInstanceOf(AppError);
      expect(error).toMatchObject({
        code: 'CONFIG_INVALID',
        message: `the data folder ${path} cannot be used: ${file} is not a folder; choose another with --data-dir or DATA_DIR`,
      });
    }
  });

  it.each(['/proc/runledger', '/proc/runledger/below', '/dev/null/x'])('answers for %s too', async (path) => {
    if (!existsSync('/proc/self')) return;
    expect(await failure(path)).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(path) as string,
    });
  });
});
