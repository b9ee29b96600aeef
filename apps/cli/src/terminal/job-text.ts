import type {
  Artifact,
  JobEvent,
  JobStep,
  JobStepStatus,
  RunnerJobStatus,
  RunnerJobSummary,
  VerifyReport,
} from '#client';
import { cleanLine, counted, formatAge, formatBytes, formatDuration, shortHash } from './format.js';
import { renderTable } from './table.js';
import type { Colors } from './terminal.js';

/** Green for done, red for failed, yellow for under way, dim for not (yet) run. */
export function paintStatus(status: RunnerJobStatus | JobStepStatus, text: string, colors: Colors): string {
  switch (status) {
    case 'COMPLETED':
      return colors.green(text);
    case 'FAILED':
      return colors.red(text);
    case 'RUNNING':
    case 'QUEUED':
      return colors.yellow(text);
    case 'PENDING':
    case 'SKIPPED':
    case 'CANCELLED':
      return colors.dim(text);
  }
}

export function jobTable(jobs: RunnerJobSummary[], width: number, colors: Colors, now: number): string[] {
  return renderTable(
    jobs,
    [
      { title: 'ID', value: (job) => job.id },
      { title: 'STATUS', value: (job) => job.status, paint: (text, job) => paintStatus(job.status, text, colors) },
      { title: 'NAME', value: (job) => cleanLine(job.name), shrinks: true },
      { title: 'TIME', value: jobDuration, align: 'right', paint: colors.dim },
      { title: 'CREATED', value: (job) => formatAge(job.createdAt, now), paint: colors.dim },
    ],
    width,
    colors.dim,
  );
}

export function stepTable(steps: JobStep[], width: number, colors: Colors): string[] {
  return renderTable(
    steps,
    [
      { title: 'STEP', value: (step) => step.key },
      { title: 'PHASE', value: (step) => step.phase, paint: colors.dim },
      { title: 'TYPE', value: (step) => step.type, paint: colors.dim },
      { title: 'STATUS', value: (step) => step.status, paint: (text, step) => paintStatus(step.status, text, colors) },
      {
        title: 'TIME',
        value: (step) => (step.durationMs === null ? '' : formatDuration(step.durationMs)),
        align: 'right',
        paint: colors.dim,
      },
      {
        title: 'NOTE',
        value: stepNote,
        shrinks: true,
        paint: (text, step) => (step.error === null ? colors.dim(text) : colors.red(text)),
      },
    ],
    width,
    colors.dim,
  );
}

/**
 * The ledger, one event a line.
 * @param stepKeys the keys of the job's steps by their ids
 */
export function ledgerTable(
  events: JobEvent[],
  stepKeys: Map<string, string>,
  width: number,
  colors: Colors,
): string[] {
  const startedAt = Date.parse(events[0]?.timestamp ?? '');
  return renderTable(
    events,
    [
      { title: 'SEQ', value: (event) => String(event.seq), align: 'right' },
      {
        title: 'AT',
        value: (event) => `+${((Date.parse(event.timestamp) - startedAt) / 1_000).toFixed(3)}`,
        align: 'right',
        paint: colors.dim,
      },
      {
        title: 'EVENT',
        value: (event) => event.type,
        paint: (text, event) => paintEventType(event.type, text, colors),
      },
      {
        title: 'STEP',
        value: (event) => stepKeys.get(event.stepId ?? '') ?? event.phase ?? '',
        paint: (text, event) => (event.stepId === null ? colors.dim(text) : text),
        shrinks: true,
      },
      { title: 'HASH', value: (event) => event.hash.slice(0, 12), paint: colors.cyan },
    ],
    width,
    colors.dim,
  );
}

export function artifactTable(artifacts: Artifact[], width: number, colors: Colors): string[] {
  return renderTable(
    artifacts,
    [
      { title: 'PATH', value: (artifact) => cleanLine(artifact.path), shrinks: true },
      { title: 'KIND', value: (artifact) => artifact.kind },
      { title: 'VERSION', value: (artifact) => String(artifact.version), align: 'right' },
      { title: 'SIZE', value: (artifact) => formatBytes(artifact.sizeBytes), align: 'right' },
      { title: 'SHA-256', value: (artifact) => artifact.sha256.slice(0, 12), paint: colors.cyan },
    ],
    width,
    colors.dim,
  );
}

/** `29 events, chain intact, head 3f9a1c22…; rows equal their fold`, or what is wrong and where. */
export function verifyLines(report: VerifyReport, colors: Colors): string[] {
  if (report.valid && report.fold.matches) {
    return [
      `${colors.green('✓')} ${counted(report.events, 'event')}, chain intact, head ${shortHash(report.head.hash)}; rows equal their fold`,
    ];
  }
  const lines: string[] = [];
  if (report.firstBad !== null) {
    lines.push(
      `${colors.red('✗')} event ${report.firstBad.seq} does not fit: ${report.firstBad.message} (${report.firstBad.reason})`,
    );
  } else if (!report.valid) {
    lines.push(`${colors.red('✗')} the chain is broken`);
  }
  if (!report.fold.matches) {
    lines.push(`${colors.red('✗')} the stored rows differ from what the events say:`);
    lines.push(...report.fold.differences.map((difference) => `    ${difference}`));
  }
  return lines;
}

export function jobDuration(job: RunnerJobSummary): string {
  if (job.startedAt === null || job.completedAt === null) return '';
  return formatDuration(Date.parse(job.completedAt) - Date.parse(job.startedAt));
}

function stepNote(step: JobStep): string {
  if (step.error !== null) return cleanLine(`${step.error.code}: ${step.error.message}`);
  return step.skipReason ?? '';
}

function paintEventType(type: string, text: string, colors: Colors): string {
  if (/\.(failed|rejected|expired|budget_exceeded)$/.test(type)) return colors.red(text);
  if (/\.(completed|passed|granted)$/.test(type)) return colors.green(text);
  if (/\.(skipped|progress|output)$/.test(type)) return colors.dim(text);
  return text;
}
