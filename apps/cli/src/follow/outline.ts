import type { JobEvent, JobStep, RunnerJob, TranscriptStream } from '#client';
import { cleanLine, formatBytes, formatDuration } from '../terminal/format.js';

/** One step as a person follows it: what is known of it so far. */
export interface FollowedStep {
  id: string;
  key: string;
  name: string;
  startedAt: number | null;
  /** What is written below the step when it has ended: conditions, artifacts. */
  details: string[];
  /** The start of a line whose end has not arrived, of each stream. */
  partialLines: Map<TranscriptStream, string>;
  outputSeen: boolean;
}

export function followedSteps(job: RunnerJob): Map<string, FollowedStep> {
  const followed = (step: JobStep): FollowedStep => ({
    id: step.id,
    key: step.key,
    name: cleanLine(step.name),
    startedAt: null,
    details: [],
    partialLines: new Map(),
    outputSeen: false,
  });
  return new Map(job.steps.map((step) => [step.id, followed(step)]));
}

/** An attempt of the step begins: nothing of an earlier one is left to be shown. */
export function beginStep(step: FollowedStep, startedAt: number): void {
  Object.assign(step, { startedAt, details: [], partialLines: new Map(), outputSeen: false });
}

/** A field of an event's payload as text; empty when it is absent or was erased. */
export function textOf(event: JobEvent, field: string): string {
  const value = event.payload?.[field];
  return typeof value === 'string' ? cleanLine(value) : typeof value === 'number' ? String(value) : '';
}

export function numberOf(event: JobEvent, field: string): number {
  const value = event.payload?.[field];
  return typeof value === 'number' ? value : 0;
}

export function durationOf(event: JobEvent): string {
  return formatDuration(numberOf(event, 'durationMs'));
}

/** `report/inventory.json  12.4 kB  sha256 3f9a1c22…` */
export function artifactDetail(event: JobEvent): string {
  return `${textOf(event, 'path')}  ${formatBytes(numberOf(event, 'sizeBytes'))}  sha256 ${textOf(event, 'sha256').slice(0, 12)}…`;
}

/**
 * The values that a condition looked at: `files = 214` for `int(steps.inventory.outputs.files) > 10`.
 * @param outputs of the steps so far, by step key
 */
export function valuesIn(condition: string, outputs: Map<string, Record<string, unknown>>): string {
  const values = new Map<string, string>();
  for (const [, stepKey = '', name = ''] of condition.matchAll(/steps\.([a-z][a-z0-9_-]*)\.outputs\.([A-Za-z_]\w*)/g)) {
    const value = outputs.get(stepKey)?.[name];
    if (value !== undefined) values.set(name, compact(value));
  }
  return [...values].map(([name, value]) => `${name} = ${value}`).join(', ');
}

/** `files=214 lines=18203`, cut where it gets long. */
export function outputsText(outputs: Record<string, unknown>): string {
  const text = Object.entries(outputs).map(([name, value]) => `${name}=${compact(value)}`);
  return text.length > 6 ? [...text.slice(0, 6), `(+${text.length - 6})`].join(' ') : text.join(' ');
}

export function outputsOf(event: JobEvent): Record<string, unknown> {
  const outputs = event.payload?.['outputs'];
  return typeof outputs === 'object' && outputs !== null && !Array.isArray(outputs)
    ? (outputs as Record<string, unknown>)
    : {};
}

function compact(value: unknown): string {
  const text = cleanLine(typeof value === 'string' ? value : JSON.stringify(value));
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
