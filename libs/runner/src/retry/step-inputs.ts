import { AppError, canonicalJson, sha256Hex, type Json } from '#kernel';
import type { CommandStepDefinition } from '../definition/definition.js';
import { definitionOf, expressionContext } from '../engine/decide.js';
import { bindScript } from '../expressions/bind-script.js';
import type { ExpressionContext } from '../expressions/expression-context.js';
import { interpolate, interpolateJson } from '../expressions/interpolate.js';
import type { JobState, StepState } from '../state/job-state.js';

/**
 * Digest of what a step is given by its job: a command's script, environment and arguments, the paths and the name of an artifact, with all
 * expressions filled in by what is known of earlier steps. Values of secrets are no part of it: a digest of a short one could be guessed.
 * @returns null for a step whose work is never reused, and where an expression fails
 */
export function inputsHashOf(state: JobState, step: StepState): string | null {
  if (step.phase === 'CLEANUP') return null;
  try {
    const inputs = inputsOf(state, step);
    return inputs === null ? null : sha256Hex(canonicalJson(inputs));
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

function inputsOf(state: JobState, step: StepState): Json {
  const definition = definitionOf(step);
  const context = expressionContext(state);
  switch (definition.type) {
    case 'COMMAND':
      return commandInputs(definition, state.definition['env'] as Record<string, string>, context);
    case 'ARTIFACT':
      return {
        paths: definition.paths.map((path) => interpolate(path, context)),
        logicalKey: definition.logicalKey === null ? null : interpolate(definition.logicalKey, context),
      };
    case 'GATE':
      return null;
  }
}

function commandInputs(
  { action, env }: CommandStepDefinition,
  shared: Record<string, string>,
  context: ExpressionContext,
): Json {
  if ('uses' in action) return { uses: action.uses, with: interpolateJson(action.with, context) };
  const bound = bindScript(action.run, context);
  const given = Object.entries({ ...shared, ...env }).map(
    ([name, value]) => [name, interpolate(value, context)] as const,
  );
  return { run: bound.script, env: { ...Object.fromEntries(given), ...bound.env } };
}
