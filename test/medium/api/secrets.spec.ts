import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '#config';
import { Database } from '#database';
import { newId } from '#kernel';
import { JobSecrets, copySecretsStatement, sweepSecrets } from '../../../libs/runner/src/secrets/job-secrets.js';
import { MasterKey } from '../../../libs/config/src/master-key.js';
import type { JobState } from '../../../libs/runner/src/state/job-state.js';
import { finished, startApi, submit, type ApiSystem, type Tenant } from './api-system.js';
import { follow } from './sse-client.js';
import { startWorker } from './worker.js';

const TOKEN = `s3cr3t/"Tök'en"+${randomBytes(8).toString('hex')}`;
const LINES = ['q9Lkz7VbXw2mPd', 'R4tYuioPasDfgH', 'jK1lZxcVbNm50Q'];
const KEY = `-----BEGIN THING-----\n${LINES.join('\n')}\n-----END THING-----`;

/** Prints the token in every form, on both streams, a few bytes at a time, with pauses. */
const PRINT_ALL = `
const token = process.env.TOKEN;
const bytes = Buffer.from(token);
const forms = [
  token, 'Bearer ' + token, JSON.stringify({ token }), JSON.stringify(JSON.stringify({ token })),
  JSON.stringify(token).replace(/[\\u0080-\\uffff]/g, (c) => '\\\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')),
  encodeURIComponent(token), encodeURIComponent(token).replace(/%../g, (escape) => escape.toLowerCase()), new URLSearchParams({ token }).toString(),
  ...['', 'u', 'u:'].flatMap((before) => ['base64', 'base64url'].map((how) => Buffer.from(before + token + '!').toString(how))),
  Buffer.from('x'.repeat(50) + token).toString('base64').replace(/.{76}/g, '$&\\n'),
  bytes.toString('hex'), bytes.toString('hex').toUpperCase(), bytes.toString('hex').replace(/../g, '$& '),
  "'" + token.replaceAll("'", "'\\\\''") + "'", '"' + token.replace(/["\\\\$\`]/g, '\\\\$&') + '"',
];
const text = Buffer.from(forms.map((form) => '<' + form + '>').join('\\n') + '\\n');
for (let at = 0, turn = 0; at < text.length; turn += 1) {
  const size = 1 + (turn % 7);
  const part = text.subarray(at, at + size);
  process.stdout.write(part);
  process.stderr.write(part);
  at += size;
  await new Promise((resolve) => setTimeout(resolve, turn % 100 === 50 ? 150 : 0));
}
`;

const JOB = {
  name: 'secrets',
  secrets: { TOKEN, KEY },
  steps: [
    {
      key: 'print',
      type: 'COMMAND',
      secrets: ['TOKEN'],
      run: [
        `cat > print.mjs <<'END'\n${PRINT_ALL}\nEND`,
        'node print.mjs',
        'printf "%s" "$TOKEN" > left-behind; test -z "$KEY"',
        'echo "token=$TOKEN" >> "$RUNLEDGER_OUTPUT"; node -p "JSON.stringify({deep: {list: [process.env.TOKEN]}})" >> "$RUNLEDGER_OUTPUT"',
        'echo "50 sent $TOKEN" >> "$RUNLEDGER_PROGRESS"; sleep 0.7',
        'echo shown',
      ].join('\n'),
    },
    { key: 'later', type: 'COMMAND', run: 'cat left-behind; echo; echo "[${{ steps.print.outputs.token }}]"' },
    { key: 'key', type: 'COMMAND', secrets: ['KEY'], run: 'echo "$KEY" | sed "s/^/> /" >&2' },
  ],
};

/** Parts of any form that are long enough to be no accident. */
function traces(): string[] {
  const bytes = Buffer.from(TOKEN);
  const inBase64 = (before: string): string =>
    Buffer.from(before + TOKEN)
      .toString('base64')
      .slice(Math.ceil((before.length * 4) / 3) + 1, -4);
  const hex = bytes.toString('hex');
  const percent = encodeURIComponent(TOKEN);
  const forms = [
    ...[TOKEN, ...LINES, hex, hex.toUpperCase(), hex.replace(/../g, '$& ')],
    ...[percent, percent.replace(/%../g, (escape) => escape.toLowerCase())],
    ...['', 'u', 'u:', 'x'.repeat(50)].map(inBase64),
  ];
  return forms.flatMap((form) => Array.from({ length: form.length - 9 }, (_, at) => form.slice(at, at + 10)));
}

function expectNoTrace(what: string, text: string): void {
  expect([what, traces().filter((trace) => text.includes(trace))]).toEqual([what, []]);
}

describe('secrets of jobs', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  beforeAll(async () => {
    api = await startApi();
    tenant = await api.tenant();
  });
  afterAll(() => api.close());

  const get = (path: string) => api.http().get(`${tenant.jobs}/${path}`).auth(tenant.key, { type: 'bearer' });
  const secretsOf = (jobId: string): Promise<Record<string, unknown>[]> =>
    api.asOwner('SELECT name, ciphertext, set_id FROM job_secrets WHERE job_id = $1 ORDER BY name', [jobId]);
  const one = (more: object): object => ({
    name: 'one',
    secrets: { TOKEN },
    steps: [{ key: 'use', type: 'COMMAND', secrets: ['TOKEN'], run: 'exit 3' }],
    ...more,
  });

  it('cannot be opened by a worker with another key, and the step says so', async () => {
    const stop = await startWorker(
      loadConfig({
        DATABASE_URL: api.database.workerUrl,
        DATA_DIR: api.dataDir,
        SANDBOX: 'process',
        LOG_LEVEL: 'silent',
        RUNNER_RECONCILE_MS: '200',
        RUNLEDGER_MASTER_KEY: 'ab'.repeat(32),
      }),
    );
    const job = await submit(api, tenant, one({}));
    const ended = (await finished(api, tenant, job.id)) as {
      status: string;
      error?: { code: string; message: string };
    };
    await stop();
    await api.startWorker();
    expect(ended).toMatchObject({ status: 'FAILED', error: { code: 'SECRET_UNREADABLE' } });
    expect(ended.error?.message).toContain('RUNLEDGER_MASTER_KEY');
  });

  it('are in nothing that is stored, streamed or answered, in whatever form a command prints them', async () => {
    const job = await submit(api, tenant, JOB);
    const client = await follow(`${api.url}${tenant.jobs}/${job.id}/events/stream`, tenant.key);
    const chunks: string[] = [];
    const ended = client.ended.then(() => true);
    while (!(await Promise.race([ended, new Promise((resolve) => setTimeout(() => resolve(false), 50))])))
      chunks.push(JSON.stringify(await api.asOwner('SELECT * FROM transcript_chunks')));
    expect(chunks.filter((rows) => rows.length > 2).length).toBeGreaterThan(0);
    const end = await finished(api, tenant, job.id);
    expect(end.status).toBe('COMPLETED');

    expectNoTrace('the event stream', JSON.stringify(client.events));
    expectNoTrace('live pieces', chunks.join('\n'));
    for (const table of ['runner_jobs', 'job_steps', 'job_events', 'sandbox_jobs', 'job_secrets'])
      expectNoTrace(table, JSON.stringify(await api.asOwner(`SELECT * FROM ${table}`)));
    const folder = join(api.dataDir, 'blobs');
    for (const name of await readdir(folder, { recursive: true }))
      expectNoTrace(name, await readFile(join(folder, name), 'utf8').catch(() => ''));
    for (const path of [job.id, `${job.id}/steps`, `${job.id}/events?limit=500`])
      expectNoTrace(path, JSON.stringify((await get(path)).body));

    const stepId = (key: string): string => job.steps.find((step) => step.key === key)?.id ?? '';
    const printed = (await get(`${job.id}/steps/${stepId('print')}/transcript?stream=stdout`)).text;
    expect(printed).toContain('<***>\n<Bearer ***>\n<{"token":"***"}>');
    expect(printed).toMatch(/shown\n$/);
    // Both streams got the same, and each is whole.
    expect(`${(await get(`${job.id}/steps/${stepId('print')}/transcript?stream=stderr`)).text}shown\n`).toBe(printed);
    expect((await get(`${job.id}/steps/${stepId('later')}/transcript`)).text).toBe('***\n[***]\n');
    expect((await get(`${job.id}/steps/${stepId('key')}/transcript`)).text).toBe('> ***\n'.repeat(5));
    expect((await get(job.id)).body).toMatchObject({
      definition: { secretNames: ['KEY', 'TOKEN'] },
      steps: [{ outputs: { token: '***', deep: { list: ['***'] } } }, {}, {}],
    });
    const { items } = (await get(`${job.id}/events?limit=500`)).body as { items: { type: string; payload: object }[] };
    expect(items.find(({ type }) => type === 'job.progress')?.payload).toEqual({ percent: 50, message: 'sent ***' });
    expect((await get(`${job.id}/verify`)).body).toMatchObject({ valid: true, fold: { matches: true } });
    // Nobody can need them any more.
    expect(await secretsOf(job.id)).toEqual([]);
  });

  it('are refused with the rule that they break, and not repeated', async () => {
    const answer = await api
      .http()
      .post(tenant.jobs)
      .auth(tenant.key, { type: 'bearer' })
      .send(one({ secrets: { TOKEN: 'hunter2', 'A B': TOKEN } }));
    expect([answer.status, answer.body.errors.map((error: { rule: string }) => error.rule).sort()]).toEqual([
      422,
      ['envName', 'minLength'],
    ]);
    expect(answer.text).not.toMatch(/hunter2|s3cr3t/);
  });

  it('are sealed for their workspace and their name: exchanged, they do not open', async () => {
    const job = await submit(
      api,
      tenant,
      one({ runAt: new Date(Date.now() + 3_600_000).toISOString(), secrets: { TOKEN, KEY } }),
    );
    const rows = await secretsOf(job.id);
    expect(rows.map((row) => row['name'])).toEqual(['KEY', 'TOKEN']);
    const state = {
      id: job.id,
      workspaceId: tenant.workspaceId,
      definition: { secretNames: ['KEY', 'TOKEN'] },
    } as object as JobState;
    const secrets = new JobSecrets(api.rows, new MasterKey({ dataDir: api.dataDir, masterKey: undefined }));
    expect(await secrets.load(state)).toEqual({ TOKEN, KEY });
    await expect(secrets.load({ ...state, workspaceId: newId() })).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' });
    await api.asOwner("UPDATE job_secrets SET ciphertext = $2 WHERE job_id = $1 AND name = 'TOKEN'", [
      job.id,
      rows[0]?.['ciphertext'],
    ]);
    await expect(secrets.load(state)).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' });
  });

  it('stay for a retry of a job that failed, go to it within the workspace, and are swept in the end', async () => {
    const job = await submit(api, tenant, one({ name: 'fails' }));
    expect((await finished(api, tenant, job.id)).status).toBe('FAILED');
    expect(await secretsOf(job.id)).toHaveLength(1);

    const apiRole = new Database({ url: api.database.apiUrl, role: 'api', poolSize: 1 });
    const other = await api.tenant();
    const theirs = await submit(api, other);
    const retry = await submit(api, tenant, { name: 'again', steps: [{ key: 'a', type: 'COMMAND', run: 'true' }] });
    const copy = (workspaceId: string, target: string) =>
      apiRole.tenantQuery(workspaceId, copySecretsStatement(job.id, target));
    expect(await copy(other.workspaceId, theirs.id)).toEqual([{ copied: 0 }]);
    await expect(copy(tenant.workspaceId, theirs.id)).rejects.toThrow();
    expect(await copy(tenant.workspaceId, retry.id)).toEqual([{ copied: 1 }]);
    await expect(apiRole.tenantQuery(tenant.workspaceId, { text: 'SELECT * FROM job_secrets' })).rejects.toThrow(
      'permission denied',
    );
    await apiRole.close();
    const state = {
      id: retry.id,
      workspaceId: tenant.workspaceId,
      definition: { secretNames: ['TOKEN'] },
    } as object as JobState;
    const secrets = new JobSecrets(api.rows, new MasterKey({ dataDir: api.dataDir, masterKey: undefined }));
    expect(await secrets.load(state)).toEqual({ TOKEN });

    await finished(api, tenant, retry.id);
    await sweepSecrets(api.rows);
    expect([await secretsOf(job.id), await secretsOf(retry.id)]).toEqual([[expect.anything()], []]);
    await api.asOwner("UPDATE runner_jobs SET completed_at = completed_at - interval '8 days' WHERE id = $1", [job.id]);
    await sweepSecrets(api.rows);
    expect(await secretsOf(job.id)).toEqual([]);
    await expect(secrets.load(state)).rejects.toMatchObject({
      code: 'SECRET_UNREADABLE',
      message: expect.stringContaining('not there'),
    });
  });
});
