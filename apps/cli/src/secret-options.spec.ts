import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSecrets, withSecrets } from './secret-options.js';

describe('secrets on the command line', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'runledger-secrets-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('are values, variables and files', async () => {
    process.env['RL_TEST_TOKEN'] = 'from the environment';
    await writeFile(join(folder, 'key'), 'two\nlines\r\n\n');
    const options = { secret: ['A=b=c', 'EMPTY=', 'RL_TEST_TOKEN'], secretFile: [`KEY=${join(folder, 'key')}`] };
    expect(await readSecrets(options)).toEqual({
      A: 'b=c',
      EMPTY: '',
      RL_TEST_TOKEN: 'from the environment',
      KEY: 'two\nlines',
    });
    delete process.env['RL_TEST_TOKEN'];
  });

  it.each([
    [{ secret: ['RL_NOT_THERE'] }, 'no variable of this name'],
    [{ secret: ['A=topsecret', 'A=topsecret'] }, 'given twice'],
    [{ secretFile: ['A'] }, 'NAME=PATH'],
    [{ secretFile: ['A=/does/not/exist'] }, 'cannot read /does/not/exist'],
  ])('are refused with a reason, and no value: %j', async (options, reason) => {
    const refused = readSecrets(options);
    await expect(refused).rejects.toThrow(reason);
    await expect(refused).rejects.not.toThrow('topsecret');
  });

  it('are put beside those of the definition', () => {
    expect(withSecrets({ name: 'x', secrets: { A: 'own', B: 'own' } }, { B: 'given' })).toEqual({
      name: 'x',
      secrets: { A: 'own', B: 'given' },
    });
    expect(withSecrets({ name: 'x' }, {})).toEqual({ name: 'x' });
  });
});
