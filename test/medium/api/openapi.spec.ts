import { newId } from '#kernel';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formatsPlugin from 'ajv-formats';
import { PROBLEM_TYPES } from '../../../apps/api/src/http/problem-types.js';
import { HELLO, finished, startApi, submit, type ApiSystem, type Tenant } from './api-system.js';

interface MediaType {
  schema?: object;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}
interface Operation {
  operationId?: string;
  summary?: string;
  tags?: string[];
  security?: object[];
  parameters?: { name: string; in: string; description?: string; schema?: object }[];
  requestBody?: { content: Record<string, MediaType> };
  responses: Record<string, { description: string; content?: Record<string, MediaType> }>;
}
interface OpenApi {
  openapi: string;
  info: { title: string; description: string };
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

const rate = { key: 'k', limit: 1, periodSeconds: 1 };
const WRONG_OPTIONS = [
  ...[{ tags: 'a' }, { tags: [''] }, { metadata: [] }, { timeoutSeconds: 0 }, { checkpoints: 1 }, { projectId: 3 }],
  ...[{ concurrency: {} }, { concurrency: { key: 'k', limit: 0 } }, { concurrency: { key: 'k', onConflict: 'x' } }],
  ...[{ rateLimit: { key: 'k' } }, { rateLimit: { ...rate, limit: 10_001 } }, { rateLimit: { ...rate, x: 1 } }],
  ...[
    { tags: Array.from({ length: 21 }, (_, at) => `t${at}`) },
    { runAt: 3 },
    { concurrency: { key: 'x'.repeat(1_001) } },
  ],
];
const WRONG_RULES = [
  ...[{ network: 'some' }, { retry: 1 }, { retry: {} }, { retry: { maxAttempts: 101 } }, { onInterrupt: 'x' }],
  ...[
    { retry: { maxAttempts: 2, on: [] } },
    { retry: { maxAttempts: 2, on: [0] } },
    { retry: { maxAttempts: 2, jitter: 2 } },
  ],
];
const WRONG_APPROVALS = [
  ...[
    {},
    { scope: 'push' },
    { scope: 'a.b', minApprovals: 11 },
    { scope: 'a.b', approverRoles: ['A'] },
    { scope: 'a.b', x: 1 },
  ],
  ...[
    { scope: 'a.b', subject: { artifacts: [{}] } },
    { scope: 'a.b', subject: { summary: '' } },
    { scope: `a.${'b'.repeat(63)}` },
  ],
];
const approval = { scope: 'deploy.production', subject: { summary: 's', artifacts: [{ logicalKey: 'app' }] } };
const RIGHT = [
  {
    tags: ['a', 'b'],
    metadata: { a: { b: [1] } },
    concurrency: { key: '${{ job.name }}' },
    rateLimit: rate,
    checkpoints: false,
  },
  { steps: [{ key: 'a', type: 'COMMAND', run: 'x', retry: 3, onInterrupt: 'fail', network: 'none' }] },
  { steps: [{ key: 'a', type: 'COMMAND', run: 'x', retry: { maxAttempts: 2, on: [7, 'TIMEOUT'], factor: 1.5 } }] },
  { steps: [{ key: 'a', type: 'GATE', approval }] },
];

describe('the description of the API', () => {
  let api: ApiSystem;
  let tenant: Tenant;
  let document: OpenApi;
  let ajv: Ajv2020;
  beforeAll(async () => {
    api = await startApi();
    await api.startWorker();
    tenant = await api.tenant();
    document = (await api.http().get('/openapi.json').expect(200)).body;
    ajv = new Ajv2020({ strict: false, allErrors: true });
    formatsPlugin.default(ajv);
    ajv.addSchema({ $id: 'api', components: document.components });
  });
  afterAll(() => api.close());

  const operations = (): { where: string; path: string; method: string; operation: Operation }[] =>
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ where: `${method} ${path}`, path, method, operation })),
    );
  const validatorOf = (schema: object): ValidateFunction =>
    ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"api#/components/')) as object);
  const expectValid = (where: string, schema: object, value: unknown): void => {
    const validate = validatorOf(schema);
    validate(value);
    expect([where, validate.errors ?? []]).toEqual([where, []]);
  };

  it('is OpenAPI 3.1 and has every route', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(
      operations()
        .map(({ where }) => where)
        .sort(),
    ).toEqual([
      'delete /v1/workspaces/{workspaceId}/schedules/{scheduleId}',
      'get /health/live',
      'get /health/ready',
      'get /metrics',
      'get /v1/me',
      'get /v1/workspaces/{workspaceId}',
      'get /v1/workspaces/{workspaceId}/approvals',
      'get /v1/workspaces/{workspaceId}/approvals/{approvalId}',
      'get /v1/workspaces/{workspaceId}/artifacts',
      'get /v1/workspaces/{workspaceId}/artifacts/export.zip',
      'get /v1/workspaces/{workspaceId}/artifacts/versions',
      'get /v1/workspaces/{workspaceId}/artifacts/{artifactId}',
      'get /v1/workspaces/{workspaceId}/artifacts/{artifactId}/content',
      'get /v1/workspaces/{workspaceId}/runner-jobs',
      'get /v1/workspaces/{workspaceId}/runner-jobs/{jobId}',
      'get /v1/workspaces/{workspaceId}/runner-jobs/{jobId}/artifacts',
      'get /v1/workspaces/{workspaceId}/runner-jobs/{jobId}/artifacts/export.zip',
      'get /v1/workspaces/{workspaceId}/runner-jobs/{jobId}/artifacts/{artifactId}/content',
      'get /v1/workspaces/{workspaceId}/runner-jobs/{jobId}/events',
      'get /v1/workspaces/{workspaceId}/runner-jobs/{jobId}/events/stream',
      'get /v1/workspaces/{workspaceId}/runner-jobs/{jobId}/steps',
      'get /v1/workspaces/{workspaceId}/runner-jobs/{jobId}/steps/{stepId}/transcript',
      'get /v1/workspaces/{workspaceId}/runner-jobs/{jobId}/verify',
      'get /v1/workspaces/{workspaceId}/schedules',
      'get /v1/workspaces/{workspaceId}/schedules/{scheduleId}',
      'get /v1/workspaces/{workspaceId}/schedules/{scheduleId}/next-runs',
      'patch /v1/workspaces/{workspaceId}',
      'post /v1/workspaces/{workspaceId}/approvals/{approvalId}/grant',
      'post /v1/workspaces/{workspaceId}/approvals/{approvalId}/reject',
      'post /v1/workspaces/{workspaceId}/runner-jobs',
      'post /v1/workspaces/{workspaceId}/runner-jobs/batch',
      'post /v1/workspaces/{workspaceId}/runner-jobs/{jobId}/cancel',
      'post /v1/workspaces/{workspaceId}/runner-jobs/{jobId}/retry',
      'post /v1/workspaces/{workspaceId}/schedules',
      'post /v1/workspaces/{workspaceId}/schedules/{scheduleId}/pause',
      'post /v1/workspaces/{workspaceId}/schedules/{scheduleId}/resume',
      'put /v1/workspaces/{workspaceId}/schedules/{scheduleId}',
    ]);
  });

  it('says of every operation what it is called, what it takes, answers and refuses', () => {
    const tags = document.tags.map((tag) => tag.name);
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { where, path, operation } of operations()) {
      expect([where, operation]).toEqual([
        where,
        expect.objectContaining({
          operationId: expect.stringMatching(/^[a-z]\w+$/),
          summary: expect.stringMatching(/\w/),
        }),
      ]);
      expect(tags).toEqual(expect.arrayContaining(operation.tags ?? ['no tag']));
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      expect([
        where,
        (operation.parameters ?? []).filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name),
      ]).toEqual([where, inPath]);
      for (const parameter of operation.parameters ?? [])
        expect([where, parameter]).toEqual([
          where,
          expect.objectContaining({ description: expect.stringMatching(/\w/), schema: expect.any(Object) }),
        ]);
      const statuses = Object.keys(operation.responses);
      expect([where, statuses.some((status) => status.startsWith('2'))]).toEqual([where, true]);
      expect([where, statuses]).toEqual([
        where,
        expect.arrayContaining(path.startsWith('/v1/') ? ['401', '403', '500', '503'] : ['500']),
      ]);
      expect([where, operation.security]).toEqual([where, path.startsWith('/v1/') ? [{ apiKey: [] }] : undefined]);
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(response.description).toMatch(/\w/);
        if (Number(status) < 400 || path === '/health/ready') continue;
        expect([where, status, response.content?.['application/problem+json']?.schema]).toEqual([
          where,
          status,
          { $ref: '#/components/schemas/Problem' },
        ]);
      }
    }
  });

  it('has examples that fit their schemas', () => {
    let count = 0;
    for (const { where, operation } of operations()) {
      const contents = [
        operation.requestBody?.content,
        ...Object.values(operation.responses).map((response) => response.content),
      ];
      for (const [type, media] of contents.flatMap((content) => Object.entries(content ?? {}))) {
        if (['application/octet-stream', 'application/zip'].includes(type)) continue;
        const examples =
          media.example === undefined
            ? Object.values(media.examples ?? {}).map((example) => example.value)
            : [media.example];
        expect([where, type, examples.length > 0]).toEqual([where, type, true]);
        for (const example of examples) expectValid(`${where} ${type}`, media.schema ?? {}, example);
        count += examples.length;
      }
    }
    expect(count).toBeGreaterThan(40);
  });

  it('has example bodies that are accepted as they are, and run to their end', async () => {
    const content = document.paths['/v1/workspaces/{workspaceId}/runner-jobs']?.['post']?.requestBody?.content ?? {};
    expect(Object.values(content).flatMap((media) => Object.keys(media.examples ?? {}))).toHaveLength(3);
    for (const [type, media] of Object.entries(content)) {
      for (const { value } of Object.values(media.examples ?? {})) {
        const answer = await api
          .http()
          .post(tenant.jobs)
          .auth(tenant.key, { type: 'bearer' })
          .set('content-type', type)
          .send(type === 'application/json' ? JSON.stringify(value) : String(value));
        expect([answer.status, answer.body.errors]).toEqual([201, undefined]);
        expect((await finished(api, tenant, answer.body.id)).status).toBe('COMPLETED');
      }
    }
  });

  it('describes the answers that are really given', async () => {
    const job = await submit(api, tenant, {
      ...HELLO,
      steps: [...HELLO.steps, { key: 'fails', type: 'COMMAND', run: 'exit 3' }],
    });
    await finished(api, tenant, job.id);
    const own = `/v1/workspaces/{workspaceId}/runner-jobs`;
    const asked: [path: string, query?: string][] = [
      ['/v1/me'],
      ['/v1/workspaces/{workspaceId}'],
      [own, '?limit=1'],
      [`${own}/{jobId}`],
      [`${own}/{jobId}/steps`],
      [`${own}/{jobId}/events`, '?limit=500'],
      [`${own}/{jobId}/verify`],
      [`${own}/{jobId}/artifacts`],
      [own, '?limit=0'],
      ['/health/live'],
      ['/health/ready'],
    ];
    for (const [path, query = ''] of asked) {
      const url = path.replace('{workspaceId}', tenant.workspaceId).replace('{jobId}', job.id) + query;
      const answer = await api.http().get(url).auth(tenant.key, { type: 'bearer' });
      const type = String(answer.headers['content-type']).split(';')[0] ?? '';
      const described = document.paths[path]?.['get']?.responses[answer.status]?.content?.[type]?.schema;
      expect([path, answer.status, described]).toEqual([path, answer.status, expect.any(Object)]);
      expectValid(`${path} ${answer.status}`, described ?? {}, answer.body);
    }
    const options = {
      ...{ projectId: newId(), tags: ['a'], metadata: { a: [1] } },
      ...{ concurrency: { key: 'k' }, rateLimit: { key: 'k', limit: 1, periodSeconds: 1 } },
    };
    const all = { ...HELLO, ...options, runAt: new Date(Date.now() + 3_600_000).toISOString() };
    expectValid('a new job', { $ref: '#/components/schemas/RunnerJob' }, await submit(api, tenant, all));
    const batch = await api
      .http()
      .post(`${tenant.jobs}/batch`)
      .auth(tenant.key, { type: 'bearer' })
      .send({ jobs: [all] });
    expectValid('a batch', { $ref: '#/components/schemas/RunnerJobBatch' }, batch.body);
  });

  it('refuses what the schema of a definition refuses, and the other way round', async () => {
    const wrong = [
      { name: 'x' },
      { name: 'x', steps: [] },
      { name: 'x', steps: [{ key: 'a', type: 'SHELL' }] },
      { name: 'x', steps: [{ key: 'A', type: 'GATE', condition: 'true' }] },
      { name: 'x', steps: [{ key: 'a', type: 'GATE' }] },
      { name: 'x', steps: [{ key: 'a', type: 'GATE', condition: 'true', run: 'x' }] },
      { name: 'x', kind: 'INDEX', steps: [{ key: 'a', type: 'GATE', condition: 'true' }] },
      { name: 'x', priority: 10, steps: [{ key: 'a', type: 'GATE', condition: 'true' }] },
      { name: 'x', env: { '1': 'a' }, steps: [{ key: 'a', type: 'GATE', condition: 'true' }] },
      { name: 'x', steps: [{ key: 'a', type: 'GATE', condition: 'true', timeoutSeconds: 0 }] },
      { name: 'x', steps: [{ key: 'a', type: 'ARTIFACT', paths: [] }] },
      { name: 'x', secrets: { A: 'short' }, steps: [{ key: 'a', type: 'GATE', condition: 'true' }] },
      { name: 'x', secrets: { A: 12345678 }, steps: [{ key: 'a', type: 'GATE', condition: 'true' }] },
      { name: 'x', steps: [{ key: 'a', type: 'COMMAND', run: 'x', secrets: 'A' }] },
      { name: 'x', steps: [{ key: 'a', type: 'GATE', condition: 'true', secrets: ['A'] }] },
      { name: 'x', steps: [{ key: 'a', type: 'COMMAND', run: 'x', limits: { cpu: 1 } }] },
      ...WRONG_OPTIONS.map((options) => ({ ...HELLO, ...options })),
      ...WRONG_RULES.map((rule) => ({ name: 'x', steps: [{ key: 'a', type: 'COMMAND', run: 'x', ...rule }] })),
      ...WRONG_APPROVALS.map((approval) => ({ name: 'x', steps: [{ key: 'a', type: 'GATE', approval }] })),
    ];
    const validate = validatorOf({ $ref: '#/components/schemas/JobDefinition' });
    expect(RIGHT.filter((options) => !validate({ ...HELLO, ...options }))).toEqual([]);
    for (const options of RIGHT) await submit(api, tenant, { ...HELLO, ...options });
    for (const definition of wrong) {
      const answer = await api.http().post(tenant.jobs).auth(tenant.key, { type: 'bearer' }).send(definition);
      expect([JSON.stringify(definition), validate(definition), answer.status]).toEqual([
        JSON.stringify(definition),
        false,
        422,
      ]);
    }
  });

  it('lists every code in the schema of problems', () => {
    const problem = document.components.schemas['Problem'] as { properties: { code: { enum: string[] } } };
    expect([...problem.properties.code.enum].sort()).toEqual(Object.keys(PROBLEM_TYPES).sort());
  });

  it('is shown as a page with its scripts and styles', async () => {
    const page = await api.http().get('/docs').expect(200);
    expect(page.text).toContain('<title>Runledger API</title>');
    for (const [, path] of page.text.matchAll(/(?:src|href)="\.\/([^"]+)"/g))
      expect([path, (await api.http().get(`/${path}`)).status]).toEqual([path, 200]);
  });
});
