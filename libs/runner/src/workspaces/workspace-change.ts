import { AppError, type FieldError } from '#kernel';

/** The highest limit of a workspace's own. */
export const MAX_RUNNING_JOBS = 100_000;

/** What is to be changed; what is left out stays. */
export interface WorkspaceChange {
  maxRunningJobs?: number | null;
  requireFourEyes?: boolean;
  allowNetwork?: boolean;
}

type Field = keyof WorkspaceChange;

const RULES: Record<Field, { fits: (value: unknown) => boolean; rule: string }> = {
  maxRunningJobs: {
    fits: (value) =>
      value === null ||
      (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_RUNNING_JOBS),
    rule: `must be a whole number from 1 to ${MAX_RUNNING_JOBS}, or null for no limit`,
  },
  requireFourEyes: { fits: isBoolean, rule: 'must be true or false' },
  allowNetwork: { fits: isBoolean, rule: 'must be true or false' },
};

/** @throws AppError VALIDATION_FAILED naming every broken rule */
export function parseWorkspaceChange(input: unknown): WorkspaceChange {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw invalid([broken('', 'isObject', 'the change must be an object of settings')]);
  const change: Partial<Record<Field, unknown>> = {};
  const errors: FieldError[] = [];
  for (const [name, value] of Object.entries(input)) {
    if (!isField(name))
      errors.push(broken(name, 'unknownField', `${name.slice(0, 80)} is not a setting of a workspace`));
    else if (!RULES[name].fits(value)) errors.push(broken(name, 'type', `${name} ${RULES[name].rule}`));
    else change[name] = value;
  }
  if (errors.length === 0 && Object.keys(change).length === 0)
    errors.push(broken('', 'empty', `the change names no setting; there are: ${Object.keys(RULES).join(', ')}`));
  if (errors.length > 0) throw invalid(errors);
  return change as WorkspaceChange;
}

function isField(name: string): name is Field {
  return Object.hasOwn(RULES, name);
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

function broken(field: string, rule: string, message: string): FieldError {
  return { field, rule, message };
}

function invalid(fields: FieldError[]): AppError {
  return new AppError('VALIDATION_FAILED', fields.map(({ message }) => message).join('; '), { fields });
}
