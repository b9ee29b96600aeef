import { AppError, type FieldError } from '#kernel';
import { COMMAND_LIMITS } from './definition-limits.js';
import { EXAMPLE_JOB } from './example-job.js';
import { parseJobDefinition } from './parse-job-definition.js';

function errorsOf(input: unknown, actions?: ReadonlySet<string>): FieldError[] {
  try {
    parseJobDefinition(input, actions === undefined ? {} : { actions });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.code).toBe('VALIDATION_FAILED');
    expect(error.fields.length).toBeGreaterThan(0);
    expect(error.fields.length).toBeLessThanOrEqual(100);
    return error.fields;
  }
  return [];
}

const command = { key: 'a', type: 'COMMAND', run: 'true' };
const gate = { key: 'g', type: 'GATE', condition: 'true' };
const artifact = { key: 'r', type: 'ARTIFACT', paths: ['*.md'] };
const withSteps = (...steps: unknown[]): object => ({ name: 'job', steps });
const messages = (input: unknown): string[] => errorsOf(input).map((error) => error.message);

describe('an accepted definition', () => {
  it('has every default filled in', () => {
    expect(parseJobDefinition(withSteps(command, gate, artifact))).toEqual({
      name: 'job',
      kind: 'PIPELINE',
      priority: 5,
      env: {},
      projectId: null,
      tags: [],
      metadata: {},
      timeoutSeconds: null,
      runAt: null,
      expiresAt: null,
      concurrency: null,
      rateLimit: null,
      checkpoints: true,
      steps: [
        {
          key: 'a',
          name: 'a',
          phase: 'EXECUTION',
          type: 'COMMAND',
          when: null,
          continueOnError: false,
          timeoutSeconds: 3600,
          env: {},
          limits: { memoryMb: 2048, processes: 256, fileSizeMb: 1024, diskMb: 4096, outputKb: 1024 },
          network: 'none',
          retry: null,
          onInterrupt: 'retry',
          action: { run: 'true' },
        },
        {
          key: 'g',
          name: 'g',
          phase: 'EXECUTION',
          type: 'GATE',
          when: null,
          continueOnError: false,
          timeoutSeconds: 3600,
          condition: 'true',
          approval: null,
        },
        {
          key: 'r',
          name: 'r',
          phase: 'EXECUTION',
          type: 'ARTIFACT',
          when: null,
          continueOnError: false,
          timeoutSeconds: 3600,
          paths: ['*.md'],
          artifactKind: 'file',
          logicalKey: null,
          ifNoFiles: 'fail',
        },
      ],
    });
  });

  it('keeps what was set, null counting as absent', () => {
    const job = parseJobDefinition({
      name: 'job',
      kind: null,
      priority: 0,
      env: { constructor: 'x', toString: 'y' },
      steps: [
        {
          ...command,
          name: 'A',
          phase: 'CLEANUP',
          when: null,
          continueOnError: true,
          timeoutSeconds: 1,
          limits: { memoryMb: 16 },
          env: { valueOf: 'z' },
        },
      ],
    });
    expect(job.kind).toBe('PIPELINE');
    expect(job.priority).toBe(0);
    expect(Object.entries(job.env)).toEqual([
      ['constructor', 'x'],
      ['toString', 'y'],
    ]);
    expect(job.steps[0]).toMatchObject({
      name: 'A',
      phase: 'CLEANUP',
      when: null,
      continueOnError: true,
      timeoutSeconds: 1,
    });
    expect(job.steps[0]).toMatchObject({ limits: { ...defaults(), memoryMb: 16 } });
    expect(Object.entries((job.steps[0] as { env: object }).env)).toEqual([['valueOf', 'z']]);
  });

  it('takes true and false as conditions, as YAML reads them', () => {
    expect(parseJobDefinition(withSteps({ ...gate, condition: true, when: false })).steps[0]).toMatchObject({
      condition: 'true',
      when: 'false',
    });
  });

  it('accepts the example of the API documentation', () => {
    expect(parseJobDefinition(EXAMPLE_JOB, { actions: new Set() }).steps).toHaveLength(4);
  });

  it('knows built-in actions and their arguments', () => {
    const step = { key: 'c', type: 'COMMAND', uses: 'git.clone', with: { depth: 1, constructor: { a: [null] } } };
    expect(parseJobDefinition(withSteps(step), { actions: new Set(['git.clone']) }).steps[0]).toMatchObject({
      action: { uses: 'git.clone', with: { depth: 1, constructor: { a: [null] } } },
    });
    expect(errorsOf(withSteps(step), new Set(['x.y']))[0]?.message).toBe(
      'steps[0].uses names an action that does not exist; there are: x.y',
    );
  });
});

function defaults(): Record<string, number> {
  return Object.fromEntries(Object.entries(COMMAND_LIMITS).map(([name, limit]) => [name, limit.default]));
}

describe('a refused definition', () => {
  it.each([
    [null, 'the job definition must be an object, not null'],
    [[], 'the job definition must be an object, not a list'],
    ['x', 'the job definition must be an object, not a string'],
    [3, 'the job definition must be an object, not a number'],
    [undefined, 'the job definition must be JSON, not a undefined'],
    [{ name: 'job' }, 'steps must be a list of steps'],
    [{ name: 'job', steps: {} }, 'steps must be a list of steps'],
    [{ name: 'job', steps: [] }, 'steps must have at least 1 step'],
    [{ name: 'job', steps: [3] }, 'steps[0] must be an object'],
    [{ name: 'job', steps: [[command]] }, 'steps[0] must be an object'],
    [{ steps: [command] }, 'name must be a string'],
    [{ name: ' ', steps: [command] }, 'name must not be blank'],
    [{ name: 'a\u001b[2J', steps: [command] }, 'name must not hold line breaks or other control characters'],
    [{ name: 'x'.repeat(201), steps: [command] }, 'name must have 1 to 200 characters'],
    [{ name: 'job', kind: 'INDEX', steps: [command] }, 'kind must be PIPELINE, the only kind that can be submitted'],
    [{ name: 'job', priority: 10, steps: [command] }, 'priority must be a whole number from 0 to 9'],
    [{ name: 'job', priority: '5', steps: [command] }, 'priority must be a whole number from 0 to 9'],
    [{ name: 'job', owner: 'me', steps: [command] }, 'owner is not a field of a job definition'],
    [{ name: 'job', steps: [command], constructor: 1 }, 'constructor is not a field of a job definition'],
    [withSteps({ ...command, toString: 'x' }), 'steps[0].toString is not a field of a job definition'],
    [
      withSteps(command, { ...command, key: 'b', limits: { foo: 1 } }),
      'steps[1].limits.foo is not a field of a job definition',
    ],
    [
      withSteps({ ...command, limits: { hasOwnProperty: 1 } }),
      'steps[0].limits.hasOwnProperty is not a field of a job definition',
    ],
    [withSteps({ ...command, limits: [] }), 'steps[0].limits must be an object'],
    [
      withSteps({ ...command, limits: { memoryMb: 15 } }),
      'steps[0].limits.memoryMb must be a whole number from 16 to 65536',
    ],
    [
      withSteps({ ...command, limits: { processes: 1.5 } }),
      'steps[0].limits.processes must be a whole number from 1 to 4096',
    ],
    [withSteps({ ...command, key: 'A' }), 'steps[0].key must be 1 to 64 of a-z, 0-9, _ and -, beginning with a letter'],
    [
      withSteps({ type: 'COMMAND', run: 'x' }),
      'steps[0].key must be 1 to 64 of a-z, 0-9, _ and -, beginning with a letter',
    ],
    [withSteps(command, { ...command, run: 'x' }), 'steps[1].key must be unique; steps[0] has the key "a" too'],
    [
      withSteps(command, { ...gate, phase: 'LATER' }),
      'steps[1].phase must be one of SETUP, EXECUTION, VALIDATION, CLEANUP',
    ],
    [withSteps({ ...command, type: 'SCRIPT' }), 'steps[0].type must be one of COMMAND, AI_ACTION, GATE, ARTIFACT'],
    [withSteps({ ...command, continueOnError: 'yes' }), 'steps[0].continueOnError must be true or false'],
    [
      withSteps({ ...command, timeoutSeconds: 86_401 }),
      'steps[0].timeoutSeconds must be a whole number from 1 to 86400',
    ],
    [withSteps({ ...command, run: 'x'.repeat(256 * 1024 + 1) }), 'steps[0].run must have 1 to 262144 characters'],
    [withSteps({ ...command, condition: 'true' }), 'steps[0].condition belongs to GATE steps only'],
    [withSteps({ ...gate, run: 'true' }), 'steps[0].run belongs to COMMAND steps only'],
    [withSteps({ ...gate, paths: ['a'] }), 'steps[0].paths belongs to ARTIFACT steps only'],
    [withSteps({ ...artifact, env: {} }), 'steps[0].env belongs to COMMAND steps only'],
    [withSteps({ key: 'a', type: 'COMMAND' }), 'steps[0] needs run (a script) or uses (a built-in action)'],
    [withSteps({ ...command, uses: 'x' }), 'steps[0] must have either run or uses, not both'],
    [withSteps({ ...command, with: {} }), 'steps[0].with belongs beside uses only'],
    [withSteps({ key: 'g', type: 'GATE' }), 'steps[0] needs a condition or an approval'],
    [withSteps({ ...gate, condition: 3 }), 'steps[0].condition must be a string'],
    [
      withSteps({ ...gate, condition: '1 +' }),
      'steps[0].condition does not parse: it ends where an operand is expected at character 4 of `1 +`',
    ],
    [withSteps({ ...gate, when: 'x'.repeat(4097) }), 'steps[0].when must have 1 to 4096 characters'],
    [withSteps({ key: 'r', type: 'ARTIFACT' }), 'steps[0].paths is required in an ARTIFACT step'],
    [withSteps({ ...artifact, paths: [] }), 'steps[0].paths must have at least 1 entry'],
    [withSteps({ ...artifact, paths: ['a', 3] }), 'steps[0].paths[1] must be a string'],
    [
      withSteps({ ...artifact, paths: ['/etc/passwd'] }),
      'steps[0].paths[0] must be relative to the workdir, not absolute',
    ],
    [withSteps({ ...artifact, paths: ['a/../../b'] }), 'steps[0].paths[0] must not leave the workdir with ..'],
    [withSteps({ ...artifact, paths: ['{..,a}/b'] }), 'steps[0].paths[0] must not leave the workdir with ..'],
    [withSteps({ ...artifact, paths: ['a\\b'] }), 'steps[0].paths[0] must not hold a backslash; separate folders by /'],
    [
      withSteps({ ...artifact, artifactKind: 'A' }),
      'steps[0].artifactKind must be 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter',
    ],
    [withSteps({ ...artifact, logicalKey: 'x'.repeat(201) }), 'steps[0].logicalKey must have 1 to 200 characters'],
    [withSteps({ ...artifact, ifNoFiles: 'warn' }), 'steps[0].ifNoFiles must be one of fail, ignore'],
    [
      withSteps({ ...command, env: { PORT: 3000 } }),
      'steps[0].env.PORT must be a string; put numbers and true/false in quotes',
    ],
    [withSteps({ ...command, env: [] }), 'steps[0].env must be an object of strings'],
    [
      { name: 'job', env: { RUNLEDGER_OUTPUT: 'x' }, steps: [command] },
      'env.RUNLEDGER_OUTPUT must not be named RUNLEDGER_*, which is kept for the runner',
    ],
    [{ name: 'job', env: { A: 'é'.repeat(16 * 1024 + 1) }, steps: [command] }, 'env.A must be at most 32 KiB'],
    [
      { name: 'job', env: { A: '${{ steps.a.status }}' }, steps: [command] },
      'env.A refers to a step, but no step has run when this is filled in; only job is known then',
    ],
    [
      withSteps({ ...command, env: { A: '${{ job.id' } }),
      'steps[0].env.A: the ${{ in line 1 has no closing }}; write $${{ where the characters themselves are meant',
    ],
    [
      withSteps({ ...command, run: "echo '${{ job.id }}'" }),
      'steps[0].run: ${{ job.id }} in line 1 stands inside single quotes, where the shell expands nothing; use double quotes',
    ],
  ])('%j: %s', (input, message) => {
    expect(messages(input)).toEqual([message]);
  });

  it('refuses AI_ACTION until there are agents', () => {
    expect(messages(withSteps({ key: 'think', type: 'AI_ACTION' }))).toEqual([
      'steps[0].type: AI_ACTION steps need an agent, and this installation has none yet; use COMMAND, GATE or ARTIFACT',
    ]);
  });

  it('names every problem at once, by field and rule', () => {
    const errors = errorsOf({
      name: '',
      extra: 1,
      env: { '1A': 'x' },
      steps: [
        { key: 'a', type: 'GATE', run: 'x' },
        { key: 'a', type: 'NONE', foo: 1 },
      ],
    });
    expect(errors.map(({ field, rule }) => `${field} ${rule}`).sort()).toEqual(
      [
        'name isLength',
        'extra unknownField',
        'env["1A"] envName',
        'steps[0].run stepType',
        'steps[0] conditionOrApproval',
        'steps[1].key unique',
        'steps[1].type isIn',
        'steps[1].foo unknownField',
      ].sort(),
    );
  });

  it('bounds the number of steps and of reported problems', () => {
    const steps = (count: number): unknown[] =>
      Array.from({ length: count }, (_, i) => ({ key: `s${i}`, type: 'COMMAND', run: 'true' }));
    expect(parseJobDefinition(withSteps(...steps(500))).steps).toHaveLength(500);
    expect(messages(withSteps(...steps(501)))).toEqual(['steps must have at most 500 steps']);
    expect(errorsOf(withSteps(...Array.from({ length: 100_000 }, () => ({}))))).toHaveLength(100);
  });

  it('bounds size and depth', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(errorsOf(withSteps({ key: 'a', type: 'COMMAND', uses: 'x', with: { deep } }))[0]?.rule).toBe('depth');
    expect(messages({ name: 'x'.repeat(1024 * 1024) })).toEqual(['the job definition must be at most 1 MiB of JSON']);
    let shared: unknown = ['x'];
    for (let i = 0; i < 28; i++) shared = [shared, shared];
    expect(messages({ shared })).toEqual(['the job definition must be at most 1 MiB of JSON']);
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(errorsOf(circle)[0]?.rule).toBe('depth');
  });

  it('refuses what PostgreSQL cannot store, in values and in names', () => {
    expect(errorsOf(withSteps({ ...command, run: 'a\0b' }))).toMatchObject([{ field: 'steps[0].run', rule: 'nul' }]);
    expect(
      errorsOf(withSteps({ key: 'a', type: 'COMMAND', uses: 'x', with: { 'a\0': 1, b: '\ud800' } })),
    ).toMatchObject([
      { field: 'steps[0].with["a\\u0000"]', rule: 'nul' },
      { field: 'steps[0].with.b', rule: 'unicode' },
    ]);
  });

  it('lets no key reach a prototype', () => {
    const polluted: unknown = JSON.parse(
      '{"name":"job","__proto__":{"kind":"X"},"steps":[{"key":"a","type":"COMMAND","run":"x","env":{"__proto__":"1"}}]}',
    );
    expect(errorsOf(polluted).map((error) => error.field)).toEqual(['__proto__', 'steps[0].env.__proto__']);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('refuses values that are no JSON', () => {
    for (const value of [() => 1, Symbol('x'), 1n, new Date(), new Map(), Number.NaN, Infinity]) {
      expect(errorsOf(withSteps({ key: 'a', type: 'COMMAND', uses: 'x', with: { value } }))).toMatchObject([
        { field: 'steps[0].with.value' },
      ]);
    }
  });

  it('checks expressions against the run order, not the order of the list', () => {
    const step = (key: string, phase: string, when: string): object => ({
      key,
      phase,
      type: 'COMMAND',
      run: 'true',
      when,
    });
    expect(
      messages(
        withSteps(
          step('tidy', 'CLEANUP', 'steps.early.status == "COMPLETED"'),
          step('late', 'VALIDATION', 'steps.early.attempt == 1'),
          step('early', 'SETUP', 'steps.late.attempt == 1'),
        ),
      ),
    ).toEqual(['steps[2].when refers to step "late", which runs later']);
    expect(messages(withSteps({ ...command, run: 'echo ${{ steps.b.status }} "${{ steps.a.status }}"' }))).toEqual([
      'steps[0].run refers to step "b", which does not exist',
      'steps[0].run refers to step "a", which is the step itself',
    ]);
    expect(messages(withSteps({ ...command, env: { N: '${{ job.foo }}' } }))).toEqual([
      'steps[0].env.N refers to job.foo, which does not exist; there are: id, name, kind, priority, workspaceId, projectId, tags, metadata, failed',
    ]);
  });

  it('bounds the expressions of one step', () => {
    expect(errorsOf(withSteps({ ...command, run: 'echo ${{ job.id }}\n'.repeat(101) }))).toMatchObject([
      { field: 'steps[0]', rule: 'maxExpressions' },
    ]);
  });
});
