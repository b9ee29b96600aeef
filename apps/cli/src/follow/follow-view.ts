import type { FollowItem, JobEvent, OutputChunk, RunnerJob, TranscriptStream } from '#client';
import {
  alignRight,
  cleanLine,
  counted,
  formatDuration,
  shortHash,
  truncate,
  widthOf,
  wrap,
} from '../terminal/format.js';
import type { Colors } from '../terminal/terminal.js';
import { decisionText, requestText, subjectLines } from '../terminal/approval-text.js';
import {
  artifactDetail,
  beginStep,
  durationOf,
  followedSteps,
  numberOf,
  outputsOf,
  outputsText,
  textOf,
  valuesIn,
  type FollowedStep,
} from './outline.js';

const INDENT = '  ';
const UNDER_STEP = '    ';
const STDOUT_BAR = `${UNDER_STEP}│`;
/** Told apart without colours, too. */
const STDERR_BAR = `${UNDER_STEP}┃`;

/**
 * Turns what happens in a job into lines for a person. Pure: the same items give the same lines; who calls it prints them.
 *
 *     EXECUTION
 *       ◦ Write the inventory
 *         │ 214 files
 *       ✓ Write the inventory                      1.2 s
 */
export class FollowView {
  private readonly steps: Map<string, FollowedStep>;
  private readonly outputs = new Map<string, Record<string, unknown>>();
  private phase: string | null = null;
  private startedAt: number | null = null;
  private lastEvent: JobEvent | null = null;

  constructor(
    private readonly job: RunnerJob,
    private readonly colors: Colors,
    private readonly columns: number,
    /** Longer lines are broken between words. Infinity where nobody watches: what reads a file does not want them in pieces. */
    private readonly breakAt: number = columns,
  ) {
    this.steps = followedSteps(job);
  }

  /** Lines to print before the first item. */
  header(): string[] {
    const { bold, dim } = this.colors;
    return [
      '',
      alignRight(bold(truncate(cleanLine(this.job.name), this.columns - 40)), dim(this.job.id), this.columns),
    ];
  }

  /** Lines to print for this item; none for what a person need not see. */
  apply(item: FollowItem): string[] {
    switch (item.kind) {
      case 'event':
        this.lastEvent = item.event;
        return this.event(item.event);
      case 'output':
        return this.output(item.output);
      case 'reconnecting':
        return this.marked(
          '…',
          `connection lost (${item.reason}), trying again in ${formatDuration(item.delayMs)}`,
          this.colors.yellow,
        );
      case 'complete':
        return [];
    }
  }

  /** What runs at this moment, for the line with the spinner; null when nothing does. */
  running(now: number): string | null {
    const running = [...this.steps.values()].find((step) => step.startedAt !== null);
    if (running === undefined) return this.startedAt === null ? this.colors.dim('waiting for a worker') : null;
    const elapsed = formatDuration(Math.max(0, Math.floor((now - (running.startedAt ?? now)) / 100) * 100));
    return `${truncate(running.name, this.columns - 16)} ${this.colors.dim(elapsed)}`;
  }

  private event(event: JobEvent): string[] {
    const step = event.stepId === null ? undefined : this.steps.get(event.stepId);
    switch (event.type) {
      case 'job.started':
        this.startedAt ??= Date.parse(event.timestamp);
        return [];
      case 'phase.started':
        return this.enterPhase(event);
      case 'job.completed':
      case 'job.failed':
      case 'job.cancelled':
        return this.end(event);
      default:
        return step === undefined ? [] : [...this.enterPhase(event), ...this.stepEvent(event, step)];
    }
  }

  private stepEvent(event: JobEvent, step: FollowedStep): string[] {
    const { dim, green, red, yellow } = this.colors;
    switch (event.type) {
      case 'step.started':
        beginStep(step, Date.parse(event.timestamp));
        return [];
      case 'step.completed':
        this.outputs.set(step.key, outputsOf(event));
        return this.endStep(
          step,
          green('✓'),
          step.name,
          durationOf(event),
          this.under([...step.details, ...outputLines(event)], dim),
        );
      case 'step.failed':
        this.outputs.set(step.key, outputsOf(event));
        return this.endStep(step, red('✗'), step.name, durationOf(event), this.failureDetails(event, step));
      case 'step.skipped':
        return this.marked(dim('–'), `${step.name}  skipped: ${skipText(textOf(event, 'reason'))}`, dim);
      case 'step.retrying':
        step.startedAt = null;
        return [
          ...this.flush(step),
          ...this.marked(
            yellow('↻'),
            `${step.name}  attempt ${numberOf(event, 'attempt')} was interrupted, starting again`,
            yellow,
          ),
        ];
      case 'artifact.created':
        step.details.push(artifactDetail(event));
        return [];
      default:
        return this.gateEvent(event, step);
    }
  }

  private gateEvent(event: JobEvent, step: FollowedStep): string[] {
    const { green, red } = this.colors;
    switch (event.type) {
      case 'gate.passed':
      case 'gate.failed':
        step.details.push(...this.gateDetail(event));
        return [];
      case 'approval.requested':
        return this.approvalRequested(event, step);
      case 'approval.granted':
        return this.under([decisionText(event)], green);
      case 'approval.rejected':
        return this.under([decisionText(event)], red);
      default:
        return [];
    }
  }

  /** Nobody can wait for long without knowing what for. */
  private approvalRequested(event: JobEvent, step: FollowedStep): string[] {
    const { dim, yellow } = this.colors;
    return [
      ...this.flush(step),
      ...this.marked(yellow('?'), `${step.name}  ${requestText(event)}`, yellow),
      ...this.under(subjectLines(event.payload?.['subject']), dim),
      ...this.under([`runledger approve ${textOf(event, 'approvalId')}`], String),
    ];
  }

  private failureDetails(event: JobEvent, step: FollowedStep): string[] {
    const { dim, red, yellow } = this.colors;
    const continued = event.payload?.['continued'] === true;
    return [
      ...this.under(step.details, dim),
      ...this.under([failureText(event)], red),
      ...(continued ? this.under(['goes on all the same (continueOnError)'], yellow) : []),
    ];
  }

  private enterPhase(event: JobEvent): string[] {
    if (event.phase === null || event.phase === this.phase) return [];
    this.phase = event.phase;
    return ['', this.colors.cyan(this.colors.bold(event.phase))];
  }

  private output(chunk: OutputChunk): string[] {
    const step = this.steps.get(chunk.stepId);
    if (step === undefined) return [];
    const { stream } = chunk;
    const lines = ((step.partialLines.get(stream) ?? '') + chunk.text).split('\n');
    step.partialLines.set(stream, lines.pop() ?? '');
    return this.outputLines(step, stream, lines);
  }

  private outputLines(step: FollowedStep, stream: TranscriptStream, lines: string[]): string[] {
    if (lines.length === 0) return [];
    const { dim, cyan, red } = this.colors;
    const heading = step.outputSeen ? [] : this.marked(cyan('◦'), step.name, String);
    step.outputSeen = true;
    const bar = stream === 'stderr' ? red(STDERR_BAR) : dim(STDOUT_BAR);
    const broken = lines.flatMap((line) => wrap(cleanLine(line), this.breakAt - widthOf(STDOUT_BAR) - 1));
    return [...heading, ...broken.map((line) => (line.trim() === '' ? bar : `${bar} ${dim(line)}`.trimEnd()))];
  }

  /** The rest of an output that does not end with a line feed. */
  private flush(step: FollowedStep): string[] {
    const rest = [...step.partialLines].filter(([, line]) => line !== '');
    step.partialLines.clear();
    return rest.flatMap(([stream, line]) => this.outputLines(step, stream, [line]));
  }

  private endStep(step: FollowedStep, mark: string, name: string, duration: string, details: string[]): string[] {
    step.startedAt = null;
    const title = alignRight(
      `${INDENT}${mark} ${truncate(name, this.columns - 16)}`,
      this.colors.dim(duration),
      this.columns,
    );
    return [...this.flush(step), title, ...details];
  }

  /** What is written below a step. */
  private under(texts: string[], paint: (text: string) => string): string[] {
    return texts
      .flatMap((text) => wrap(text, this.breakAt - UNDER_STEP.length))
      .map((line) => UNDER_STEP + paint(line));
  }

  /** A line of a step, going on below its name. */
  private marked(mark: string, text: string, paint: (text: string) => string): string[] {
    return wrap(text, this.breakAt - UNDER_STEP.length).map(
      (line, index) => `${index === 0 ? `${INDENT}${mark} ` : UNDER_STEP}${paint(line)}`,
    );
  }

  /** On one line where it fits, otherwise the verdict below the condition. */
  private gateDetail(event: JobEvent): string[] {
    const condition = textOf(event, 'condition');
    // Without one, people decided, and what they decided is told already.
    if (condition === '') return [];
    const values = valuesIn(condition, this.outputs);
    const verdict = event.type === 'gate.passed' ? 'true' : textOf(event, 'reason') || 'false';
    const result = `→ ${verdict}${values === '' ? '' : `  (${values})`}`;
    const fits = widthOf(condition) + widthOf(result) + 1 + UNDER_STEP.length <= this.columns;
    return fits ? [`${condition} ${result}`] : [condition, result];
  }

  private end(event: JobEvent): string[] {
    const { bold, dim, green, red, yellow } = this.colors;
    const took = this.startedAt === null ? '' : ` in ${formatDuration(Date.parse(event.timestamp) - this.startedAt)}`;
    const facts = dim(
      ` · ${counted(this.job.steps.length, 'step')} · ${counted(event.seq, 'event')} · head ${shortHash(event.hash)}`,
    );
    switch (event.type) {
      case 'job.completed':
        return ['', `${green('✓')} ${bold(green('COMPLETED'))}${took}${facts}`];
      case 'job.failed':
        return [
          '',
          `${red('✗')} ${bold(red('FAILED'))}${took}${facts}`,
          ...wrap(failureText(event), this.breakAt - INDENT.length).map((line) => INDENT + red(line)),
        ];
      default:
        return ['', `${yellow('–')} ${bold(yellow('CANCELLED'))}${took}${facts}`];
    }
  }

  /** The last event that was seen, or null before the first. */
  get last(): JobEvent | null {
    return this.lastEvent;
  }
}

function outputLines(event: JobEvent): string[] {
  const text = outputsText(outputsOf(event));
  return text === '' ? [] : [text];
}

/** The message names the step itself. */
function failureText(event: JobEvent): string {
  return `${textOf(event, 'code')}: ${textOf(event, 'message')}`;
}

function skipText(reason: string): string {
  switch (reason) {
    case 'CONDITION':
      return 'its condition is false';
    case 'PRECEDING_FAILURE':
      return 'an earlier step failed';
    case 'CANCELLED':
      return 'the job was cancelled';
    case 'REUSED':
      return 'done by an earlier job';
    default:
      return reason;
  }
}
