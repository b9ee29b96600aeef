import type { Approval, ApprovalDetail, JobEvent } from '#client';
import { cleanLine, counted, formatAge, formatBytes, formatUntil, shortHash, wrap } from './format.js';
import type { Colors } from './terminal.js';

const INDENT = '    ';
const SHOWN_FILES = 20;

/** What is typed to name it: the end of an id, which tells ids apart sooner than its beginning. */
export function shortId(id: string): string {
  return id.slice(-12);
}

/**
 *     c9a1f0b2d3e4  deploy.production  0 of 1  asked 5 min ago, expires in 23 h
 *         release, step sign-off, submitted by ci
 *         Version 1.4.0 goes to production
 *         digest d7f1b0a5…  1 file, 5.1 kB
 */
export function approvalLines(approval: Approval, columns: number, colors: Colors, now: number): string[] {
  const { bold, cyan, dim } = colors;
  const { jobName, stepKey, requestedBy, approverRoles } = approval;
  const roles = approverRoles.length === 0 ? '' : `, for ${approverRoles.join(' or ')}`;
  const texts = [
    `${cleanLine(jobName)}, step ${stepKey}, submitted by ${cleanLine(requestedBy.name ?? requestedBy.type)}`,
    ...subjectLines(approval.subject),
  ];
  return [
    `${cyan(shortId(approval.id))}  ${bold(approval.scope)}  ${paintStatus(approval, colors)}${roles}  ${dim(times(approval, now))}`,
    ...texts.flatMap((text) => wrap(text, columns - INDENT.length)).map((line) => INDENT + dim(line)),
  ];
}

/** Everything about one, for who is about to decide. */
export function approvalDetailLines(approval: ApprovalDetail, columns: number, colors: Colors, now: number): string[] {
  const { dim, green, red } = colors;
  const { files, artifacts, command } = approval.subject;
  const lines = [
    ...(files?.listed.slice(0, SHOWN_FILES) ?? []).map(
      (file) => `${file.sha256.slice(0, 12)}  ${cleanLine(file.path)}  ${formatBytes(file.sizeBytes)}`,
    ),
    ...(files !== null && files.count > SHOWN_FILES
      ? [`... and ${counted(files.count - SHOWN_FILES, 'file')} more`]
      : []),
    ...(artifacts?.listed ?? []).map(
      (one) => `${one.sha256.slice(0, 12)}  ${one.kind} ${cleanLine(one.logicalKey)} version ${one.version}`,
    ),
    ...(command?.run.trimEnd().split('\n') ?? []).map((line) => `$ ${cleanLine(line)}`),
    ...(command?.values ?? []).map(({ expression, value }) => `${cleanLine(expression)} = ${cleanLine(value)}`),
  ];
  const decisions = approval.decisions.map(({ decision, comment, actor, decidedAt }) => {
    const why = comment === null ? '' : `: ${cleanLine(comment)}`;
    const text = `${decision === 'grant' ? '✓ granted' : '✗ rejected'} by ${cleanLine(actor.name)} ${formatAge(decidedAt, now)}${why}`;
    return (decision === 'grant' ? green : red)(text);
  });
  return [
    ...approvalLines(approval, columns, colors, now),
    ...lines.map((line) => INDENT + line),
    ...decisions.map((line) => INDENT + line),
    INDENT + dim(`approval ${approval.id}`),
    INDENT + dim(`job ${approval.jobId}`),
    INDENT + dim(`digest ${approval.subject.digest}`),
  ];
}

/** What is to be approved, by digest; of whatever an event or the API says. */
export function subjectLines(subject: unknown): string[] {
  const { summary, digest, files, artifacts, command, definition } = membersOf(subject);
  const parts = [
    `digest ${shortHash(textIn(digest))}`,
    ...(isObject(files)
      ? [`${counted(Number(files['count']), 'file')}, ${formatBytes(Number(files['sizeBytes']))}`]
      : []),
    ...(isObject(artifacts) ? [counted(Number(artifacts['count']), 'artifact')] : []),
    ...(isObject(command) ? [`the command of step ${textIn(command['stepKey'])}`] : []),
    ...(isObject(definition) ? ['the job as it was submitted'] : []),
  ];
  return [...(typeof summary === 'string' ? [cleanLine(summary)] : []), parts.join('  ')];
}

/** Of the event `approval.requested`. */
export function requestText({ payload }: JobEvent): string {
  const { scope, minApprovals, approverRoles, replaces } = membersOf(payload);
  const roles = Array.isArray(approverRoles) && approverRoles.length > 0 ? ` of ${approverRoles.join(' or ')}` : '';
  const again = replaces === undefined ? '' : ', again, because the content has changed';
  return `waits for ${counted(Number(minApprovals ?? 1), 'approval')}${roles}: ${textIn(scope)}${again}`;
}

/** Of the events `approval.granted` and `approval.rejected`. */
export function decisionText({ type, payload }: JobEvent): string {
  const { actorName, comment, grants, minApprovals } = membersOf(payload);
  const why = typeof comment === 'string' ? `: ${cleanLine(comment)}` : '';
  const granted = type === 'approval.granted';
  const count = granted && Number(minApprovals) > 1 ? ` (${Number(grants)} of ${Number(minApprovals)})` : '';
  return `${granted ? 'granted' : 'rejected'} by ${textIn(actorName)}${count}${why}`;
}

function paintStatus({ status, grants, minApprovals }: Approval, colors: Colors): string {
  const text = status === 'PENDING' ? `${grants} of ${minApprovals}` : status;
  if (status === 'GRANTED') return colors.green(text);
  return status === 'PENDING' ? colors.yellow(text) : colors.red(text);
}

function times({ status, requestedAt, expiresAt, decidedAt }: Approval, now: number): string {
  const asked = `asked ${formatAge(requestedAt, now)}`;
  if (status === 'PENDING') return `${asked}, expires ${formatUntil(expiresAt, now)}`;
  return decidedAt === null ? asked : `${asked}, ended ${formatAge(decidedAt, now)}`;
}

function textIn(value: unknown): string {
  return typeof value === 'string' ? cleanLine(value) : '';
}

function membersOf(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
