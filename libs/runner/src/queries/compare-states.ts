import { canonicalJson, type JsonObject } from '#kernel';
import type { JobState } from '../state/job-state.js';

const SHOWN_CHARACTERS = 120;

/** The fields in which the rows differ from the fold, each as a sentence; empty when they are the same. */
export function compareStates(folded: JobState, stored: JobState): string[] {
  const { steps: foldedSteps, ...foldedJob } = folded;
  const { steps: storedSteps, ...storedJob } = stored;
  const differences = compareFields('job', fieldsOf(foldedJob), fieldsOf(storedJob));
  const ids = new Set([...foldedSteps, ...storedSteps].map((step) => step.id));
  for (const id of ids) {
    const expected = foldedSteps.find((step) => step.id === id);
    const found = storedSteps.find((step) => step.id === id);
    if (expected === undefined) differences.push(`step ${id} has a row but no event`);
    else if (found === undefined) differences.push(`step "${expected.key}" has no row`);
    else differences.push(...compareFields(`step "${expected.key}"`, { ...expected }, { ...found }));
  }
  return differences;
}

/** The same as plain JSON, whatever its interfaces are called. */
function fieldsOf(job: object): JsonObject {
  return JSON.parse(JSON.stringify(job)) as JsonObject;
}

function compareFields(what: string, folded: JsonObject, stored: JsonObject): string[] {
  const names = new Set([...Object.keys(folded), ...Object.keys(stored)]);
  return [...names].flatMap((name) => {
    const expected = canonicalJson(folded[name] ?? null);
    const found = canonicalJson(stored[name] ?? null);
    return expected === found ? [] : [`${what}: ${name} is ${shown(found)}, the events say ${shown(expected)}`];
  });
}

function shown(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}
