import type { FieldError } from '#kernel';
import { artifactPathProblem } from './artifact-path.js';
import { checkGate } from './check-gate.js';
import type { StepType } from './definition.js';
import { DEFINITION_LIMITS as MAX, ENV_NAME_PATTERN } from './definition-limits.js';
import { fieldError, memberPath } from './plain-json.js';
import type { SubmitJobDto } from './job-definition.dto.js';
import type { StepDefinitionDto } from './step-definition.dto.js';

type OwnedField = Exclude<
  keyof StepDefinitionDto,
  'key' | 'name' | 'phase' | 'type' | 'when' | 'continueOnError' | 'timeoutSeconds'
>;

/** The type that each optional field belongs to. */
const OWNER: Record<OwnedField, StepType> = {
  env: 'COMMAND',
  secrets: 'COMMAND',
  run: 'COMMAND',
  uses: 'COMMAND',
  with: 'COMMAND',
  limits: 'COMMAND',
  network: 'COMMAND',
  retry: 'COMMAND',
  onInterrupt: 'COMMAND',
  condition: 'GATE',
  approval: 'GATE',
  paths: 'ARTIFACT',
  artifactKind: 'ARTIFACT',
  logicalKey: 'ARTIFACT',
  ifNoFiles: 'ARTIFACT',
};
const OWNED = Object.entries(OWNER).map(([field, type]) => ({ field: field as OwnedField, type }));

/** The rules between fields: unique keys, fields that fit the type, environment names and values, paths. */
export function checkSteps(job: SubmitJobDto, actions: ReadonlySet<string> | undefined): FieldError[] {
  const errors = checkEnv(job.env, 'env');
  if (!Array.isArray(job.steps)) return errors;
  const firstAt = new Map<string, number>();
  const steps = job.steps.slice(0, MAX.steps);
  steps.forEach((step, index) => {
    const path = `steps[${index}]`;
    const earlier = firstAt.get(step.key);
    if (earlier !== undefined)
      errors.push(
        fieldError(`${path}.key`, 'unique', `must be unique; steps[${earlier}] has the key "${step.key}" too`),
      );
    else if (typeof step.key === 'string') firstAt.set(step.key, index);
    errors.push(...checkStep(step, path, actions, steps));
  });
  return errors;
}

function checkStep(
  step: StepDefinitionDto,
  path: string,
  actions: ReadonlySet<string> | undefined,
  steps: StepDefinitionDto[],
): FieldError[] {
  const errors = [...checkEnv(step.env, `${path}.env`), ...checkPaths(step.paths, path)];
  if (step.type === 'AI_ACTION') {
    const message = 'AI_ACTION steps need an agent, and this installation has none yet; use COMMAND, GATE or ARTIFACT';
    return [...errors, { field: `${path}.type`, rule: 'available', message: `${path}.type: ${message}` }];
  }
  if (!Object.values(OWNER).includes(step.type)) return errors;
  for (const { field, type } of OWNED) {
    if (isGiven(step[field]) && type !== step.type)
      errors.push(fieldError(`${path}.${field}`, 'stepType', `belongs to ${type} steps only`));
  }
  if (step.type === 'COMMAND') errors.push(...checkCommand(step, path, actions), ...checkRetry(step, path));
  if (step.type === 'GATE') errors.push(...checkGate(step, path, steps));
  if (step.type === 'ARTIFACT' && !isGiven(step.paths))
    errors.push(fieldError(`${path}.paths`, 'required', 'is required in an ARTIFACT step'));
  return errors;
}

function checkCommand(step: StepDefinitionDto, path: string, actions: ReadonlySet<string> | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const [run, uses] = [isGiven(step.run), isGiven(step.uses)];
  if (!run && !uses) errors.push(fieldError(path, 'runOrUses', 'needs run (a script) or uses (a built-in action)'));
  if (run && uses) errors.push(fieldError(path, 'runOrUses', 'must have either run or uses, not both'));
  if (isGiven(step.with) && !uses) errors.push(fieldError(`${path}.with`, 'withUses', 'belongs beside uses only'));
  if (typeof step.uses === 'string' && actions !== undefined && !actions.has(step.uses)) {
    const known = actions.size === 0 ? 'this installation has none' : `there are: ${[...actions].sort().join(', ')}`;
    errors.push(fieldError(`${path}.uses`, 'knownAction', `names an action that does not exist; ${known}`));
  }
  return errors;
}

function checkRetry(step: StepDefinitionDto, path: string): FieldError[] {
  const on: unknown = step.retry?.on;
  if (!Array.isArray(on)) return [];
  const errors = on.slice(0, MAX.exitCodes + 2).flatMap((reason: unknown, index) => {
    const isExitCode = Number.isInteger(reason) && Number(reason) >= 1 && Number(reason) <= MAX.exitCodes;
    if (isExitCode || reason === 'TIMEOUT' || reason === 'INTERRUPTED') return [];
    const message = `must be an exit code from 1 to ${MAX.exitCodes}, TIMEOUT or INTERRUPTED`;
    return [fieldError(`${path}.retry.on[${index}]`, 'retryReason', message)];
  });
  if (step.onInterrupt === 'fail' && on.includes('INTERRUPTED')) {
    const message = 'must not be fail where retry.on has INTERRUPTED: one says to fail, the other to try again';
    errors.push(fieldError(`${path}.onInterrupt`, 'contradiction', message));
  }
  return errors;
}

function checkEnv(env: unknown, path: string): FieldError[] {
  if (typeof env !== 'object' || env === null || Array.isArray(env)) return [];
  const entries = Object.entries(env);
  const errors: FieldError[] = [];
  if (entries.length > MAX.envEntries)
    errors.push(fieldError(path, 'maxEntries', `must have at most ${MAX.envEntries} entries`));
  for (const [name, value] of entries.slice(0, MAX.envEntries)) {
    const at = memberPath(path, name);
    if (name.length > 200 || !ENV_NAME_PATTERN.test(name)) {
      errors.push(
        fieldError(
          at,
          'envName',
          'must be named with letters, digits and _, not beginning with a digit, in at most 200 characters',
        ),
      );
    } else if (name.startsWith('RUNLEDGER_'))
      errors.push(fieldError(at, 'envName', 'must not be named RUNLEDGER_*, which is kept for the runner'));
    if (typeof value !== 'string')
      errors.push(fieldError(at, 'isString', 'must be a string; put numbers and true/false in quotes'));
    else if (Buffer.byteLength(value) > MAX.envValueBytes)
      errors.push(fieldError(at, 'maxBytes', `must be at most ${MAX.envValueBytes / 1024} KiB`));
  }
  return errors;
}

function checkPaths(paths: unknown, step: string): FieldError[] {
  if (!Array.isArray(paths)) return [];
  return paths.slice(0, MAX.paths).flatMap((path: unknown, index) => {
    const problem = typeof path === 'string' ? artifactPathProblem(path) : 'must be a string';
    return problem === null ? [] : [fieldError(`${step}.paths[${index}]`, 'workdirPath', problem)];
  });
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
