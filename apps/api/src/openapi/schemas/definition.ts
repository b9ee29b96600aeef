import { commandRules, jobOptions, jobRuleSchemas } from './definition-rules.js';
import type { JsonSchema } from './json-schema.js';

const expression = (description: string): JsonSchema => ({ type: 'string', description });
const environment: JsonSchema = {
  type: 'object',
  description:
    'Variables for the commands. `${{ expression }}` works in values; names starting with RUNLEDGER_ are taken.',
  propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
  additionalProperties: { type: 'string' },
};

const shared: Record<string, JsonSchema> = {
  key: {
    type: 'string',
    pattern: '^[a-z][a-z0-9_-]{0,63}$',
    description: 'Unique in the job; how expressions name the step.',
  },
  name: { type: 'string', minLength: 1, maxLength: 200, description: 'For people; the key by default.' },
  phase: {
    type: 'string',
    enum: ['SETUP', 'EXECUTION', 'VALIDATION', 'CLEANUP'],
    default: 'EXECUTION',
    description: 'CLEANUP always runs.',
  },
  when: expression('CEL. The step is skipped when it is false.'),
  continueOnError: { type: 'boolean', default: false, description: 'A failure of this step does not fail the job.' },
  timeoutSeconds: { type: 'integer', minimum: 1, maximum: 86400, default: 3600, description: 'Then the step fails.' },
};

const step = (type: string, title: string, required: string[], properties: Record<string, JsonSchema>): JsonSchema => ({
  type: 'object',
  title,
  properties: { ...shared, type: { type: 'string', const: type }, ...properties },
  required: ['key', 'type', ...required],
  additionalProperties: false,
});

const limit = (description: string): JsonSchema => ({ type: 'integer', minimum: 1, description });

export const definitionSchemas: Record<string, JsonSchema> = {
  JobDefinition: {
    type: 'object',
    description: 'What to run. Steps run by phase, and in the order of the list inside a phase.',
    properties: {
      name: { type: 'string', minLength: 1, maxLength: 200, description: 'For people.' },
      kind: { type: 'string', enum: ['PIPELINE'], default: 'PIPELINE' },
      priority: { type: 'integer', minimum: 0, maximum: 9, default: 5, description: '0 is taken first.' },
      env: environment,
      secrets: {
        type: 'object',
        description:
          'Values that steps get by naming them, at most 50 and 32 KiB together. They are stored sealed, are no part of the definition that is kept and answered (it has `secretNames`), and are masked in whatever commands print. Not in a batch and not in a schedule.',
        propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
        additionalProperties: { type: 'string', minLength: 8 },
      },
      ...jobOptions,
      steps: { type: 'array', minItems: 1, maxItems: 500, items: { $ref: '#/components/schemas/StepDefinition' } },
    },
    required: ['name', 'steps'],
    additionalProperties: false,
  },
  JobBatch: {
    type: 'object',
    description: 'Jobs that are accepted together, or not at all.',
    properties: {
      jobs: { type: 'array', minItems: 1, maxItems: 1000, items: { $ref: '#/components/schemas/JobDefinition' } },
    },
    required: ['jobs'],
    additionalProperties: false,
  },
  ...jobRuleSchemas,
  StepDefinition: {
    oneOf: ['CommandStep', 'GateStep', 'ArtifactStep'].map((name) => ({ $ref: `#/components/schemas/${name}` })),
    description: 'A step of one of the types.',
  },
  CommandStep: step('COMMAND', 'A command', [], {
    run: {
      type: 'string',
      minLength: 1,
      description:
        'A shell script. It writes outputs to the file named in $RUNLEDGER_OUTPUT, `key=value` or JSON lines.',
    },
    uses: { type: 'string', minLength: 1, description: 'A built-in action instead of `run`.' },
    with: { type: 'object', additionalProperties: true, description: 'Arguments of the action.' },
    env: environment,
    secrets: {
      type: 'array',
      maxItems: 50,
      items: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
      description: "Names of the job's secrets that the command gets as variables.",
    },
    limits: {
      type: 'object',
      description: 'Bounds of this command.',
      properties: {
        memoryMb: limit('Mebibytes of memory.'),
        processes: limit('Processes at a time.'),
        fileSizeMb: limit('Mebibytes of one file.'),
        diskMb: limit('Mebibytes of the workdir and /tmp together.'),
        outputKb: limit('Kibibytes of transcript that are kept.'),
      },
      additionalProperties: false,
    },
    ...commandRules,
  }),
  GateStep: {
    ...step('GATE', 'A gate', [], {
      condition: expression('CEL over `steps.<key>` and `job`. The step fails when it is not true.'),
      approval: { $ref: '#/components/schemas/ApprovalRule' },
    }),
    anyOf: [{ required: ['condition'] }, { required: ['approval'] }],
  },
  ArtifactStep: step('ARTIFACT', 'Artifacts', ['paths'], {
    paths: {
      type: 'array',
      minItems: 1,
      items: { type: 'string', minLength: 1 },
      description: 'Globs in the workdir.',
    },
    artifactKind: { type: 'string', minLength: 1, default: 'file', description: 'A word of your own.' },
    logicalKey: { type: 'string', minLength: 1, description: "What it is, across jobs; the file's path by default." },
    ifNoFiles: {
      type: 'string',
      enum: ['fail', 'ignore'],
      default: 'fail',
      description: 'What a glob without files means.',
    },
  }),
};
