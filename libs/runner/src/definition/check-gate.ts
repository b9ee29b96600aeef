import type { FieldError } from '#kernel';
import type { ApprovalDto } from './approval.dto.js';
import { artifactPathProblem } from './artifact-path.js';
import { PHASES } from './definition.js';
import { DEFINITION_LIMITS as MAX, ROLE_PATTERN } from './definition-limits.js';
import { fieldError } from './plain-json.js';
import type { StepDefinitionDto } from './step-definition.dto.js';

/** The rules between the fields of a GATE, and between a gate and the step whose command it is about. */
export function checkGate(step: StepDefinitionDto, path: string, steps: StepDefinitionDto[]): FieldError[] {
  const { approval } = step;
  if (!isGiven(step.condition) && !isGiven(approval))
    return [fieldError(path, 'conditionOrApproval', 'needs a condition or an approval')];
  if (typeof approval !== 'object' || approval === null) return [];
  return [...checkRoles(approval, path), ...checkSubject(approval, step, path, steps)];
}

function checkRoles({ approverRoles }: ApprovalDto, path: string): FieldError[] {
  if (!Array.isArray(approverRoles)) return [];
  return approverRoles
    .slice(0, MAX.approverRoles)
    .flatMap((role: unknown, index) =>
      typeof role === 'string' && ROLE_PATTERN.test(role)
        ? []
        : [
            fieldError(
              `${path}.approval.approverRoles[${index}]`,
              'role',
              'must be 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter',
            ),
          ],
    );
}

function checkSubject(
  { subject }: ApprovalDto,
  gate: StepDefinitionDto,
  path: string,
  steps: StepDefinitionDto[],
): FieldError[] {
  if (typeof subject !== 'object' || subject === null) return [];
  const at = `${path}.approval.subject`;
  const { summary, paths, artifacts, command } = subject;
  const lists = [paths, artifacts].filter((list) => isGiven(list) && !(Array.isArray(list) && list.length === 0));
  if (!isGiven(summary) && !isGiven(command) && lists.length === 0)
    return [
      fieldError(
        at,
        'subject',
        'needs a summary, paths, artifacts or a command; leave it out to approve the job itself',
      ),
    ];
  const errors = (Array.isArray(paths) ? paths.slice(0, MAX.paths) : []).flatMap((glob: unknown, index) => {
    const problem = typeof glob === 'string' ? artifactPathProblem(glob) : 'must be a string';
    return problem === null ? [] : [fieldError(`${at}.paths[${index}]`, 'workdirPath', problem)];
  });
  if (typeof command !== 'string') return errors;
  const problem = commandProblem(command, gate, steps);
  return problem === null ? errors : [...errors, fieldError(`${at}.command`, 'laterCommand', problem)];
}

/** Why the key is not that of a script that runs after the gate, or null. */
function commandProblem(key: string, gate: StepDefinitionDto, steps: StepDefinitionDto[]): string | null {
  const index = steps.findIndex((step) => step.key === key);
  const named = steps[index];
  if (named === undefined) return `names step "${key.slice(0, 80)}", which does not exist`;
  if (named.type !== 'COMMAND' || typeof named.run !== 'string')
    return `names step "${key}", which is no COMMAND step with run`;
  const [own, other] = [phaseOf(gate), phaseOf(named)];
  const isLater = other > own || (other === own && index > steps.indexOf(gate));
  return isLater ? null : `names step "${key}", which does not run after the gate`;
}

function phaseOf(step: StepDefinitionDto): number {
  return Math.max(0, PHASES.indexOf(step.phase ?? 'EXECUTION'));
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
