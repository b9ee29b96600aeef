import { Option, type Command } from 'commander';
import type { Approval, ApprovalDetail, ApprovalFilter, ApprovalStatus, RunledgerClient } from '#client';
import { isId } from '#kernel';
import { addServerOptions, connect, resolveJobId, type ServerOptions } from '../connect.js';
import { UsageError } from '../failure.js';
import { approvalDetailLines, approvalLines, shortId } from '../terminal/approval-text.js';
import { cleanLine } from '../terminal/format.js';
import type { Terminal } from '../terminal/terminal.js';

const STATUSES: (ApprovalStatus | 'ALL')[] = ['PENDING', 'GRANTED', 'REJECTED', 'EXPIRED', 'VOID', 'CANCELLED', 'ALL'];

/** Of a list for a person. */
const MOST_SHOWN = 50;

interface ListOptions extends ServerOptions {
  status?: ApprovalStatus | 'ALL';
  job?: string;
  scope?: string;
}

export function approvalsCommands(program: Command, terminal: Terminal): void {
  approvalsCommand(program, terminal);
  decideCommand(program, terminal, 'approve');
  decideCommand(program, terminal, 'reject');
}

function approvalsCommand(program: Command, terminal: Terminal): void {
  addServerOptions(program.command('approvals'))
    .summary('list what waits for a decision')
    .description(
      'List the approvals that wait for a decision, oldest first, or show one. With another status: newest first. With --json: one approval a line.',
    )
    .argument('[approval]', 'its id, or the start or end of it')
    .addOption(new Option('--status <status>', 'approvals in this status (default: PENDING)').choices(STATUSES))
    .option('--job <job>', 'only those of this job')
    .option('--scope <scope>', 'only those of this scope, such as deploy.production')
    .addHelpText('after', '\nExamples:\n  $ runledger approvals\n  $ runledger approvals --status ALL --job latest')
    .action(async (given: string | undefined, options: ListOptions) => {
      const client = await connect(options);
      if (given === undefined) return list(client, options, terminal);
      const approval = await client.getApproval(await resolveApprovalId(client, given, 'ALL'));
      if (options.json === true) return terminal.json(approval);
      approvalDetailLines(approval, terminal.columns, terminal.colors, Date.now()).forEach((line) =>
        terminal.line(line),
      );
    });
}

async function list(client: RunledgerClient, options: ListOptions, terminal: Terminal): Promise<void> {
  const { status, job, scope } = options;
  const filter: ApprovalFilter = {
    ...(status !== undefined && { status }),
    ...(job !== undefined && { jobId: await resolveJobId(client, job) }),
    ...(scope !== undefined && { scope }),
  };
  const found: Approval[] = [];
  for await (const approval of client.listApprovals(filter)) {
    if (options.json === true) terminal.json(approval);
    else if (found.push(approval) > MOST_SHOWN) break;
  }
  if (options.json === true) return;
  const { dim } = terminal.noteColors;
  if (found.length === 0)
    return terminal.note(dim(status === undefined ? 'nothing waits for a decision' : 'no such approvals'));
  for (const approval of found.slice(0, MOST_SHOWN))
    approvalLines(approval, terminal.columns, terminal.colors, Date.now()).forEach((line) => terminal.line(line));
  if (found.length > MOST_SHOWN) terminal.note(dim(`and more: the first ${MOST_SHOWN} are shown; --json has all`));
  const first = found.find((approval) => approval.status === 'PENDING');
  if (first !== undefined) terminal.note(dim(`decide with: runledger approve ${shortId(first.id)}, or reject`));
}

function decideCommand(program: Command, terminal: Terminal, name: 'approve' | 'reject'): void {
  const granting = name === 'approve';
  addServerOptions(program.command(name))
    .summary(granting ? 'grant an approval' : 'reject an approval')
    .description(
      `${granting ? 'Grant' : 'Reject'} an approval, once and for good. Without one: list those that wait for a decision.`,
    )
    .argument('[approval]', 'its id, or the start or end of it')
    .option('-c, --comment <text>', 'why; kept in the ledger, up to 2,000 characters')
    .addHelpText(
      'after',
      `\nExamples:\n  $ runledger ${name}\n  $ runledger ${name} 4e7b01c9a2d5 --comment "as discussed"`,
    )
    .action(async (given: string | undefined, options: ServerOptions & { comment?: string }) => {
      const client = await connect(options);
      if (given === undefined) return list(client, options, terminal);
      const id = await resolveApprovalId(client, given);
      const { comment } = options;
      const decided = await (granting ? client.grantApproval(id, comment) : client.rejectApproval(id, comment));
      if (options.json === true) return terminal.json(decided);
      terminal.line(decidedText(decided, granting, terminal));
    });
}

function decidedText(
  { scope, jobName, stepKey, status, grants, minApprovals }: ApprovalDetail,
  granting: boolean,
  { colors }: Terminal,
): string {
  const what = `${scope} for ${cleanLine(jobName)}, step ${stepKey}`;
  if (!granting) return `${colors.red('✗')} rejected: ${what}`;
  const rest =
    status === 'PENDING'
      ? `${grants} of ${minApprovals}: it waits for more`
      : `${grants} of ${minApprovals}: the job goes on`;
  return `${colors.green('✓')} granted: ${what}  ${colors.dim(rest)}`;
}

const LOOKED_AT = 1_000;

/**
 * The id that a person means: a full one, or the first or last characters of one that waits.
 * @throws UsageError when none or several fit
 */
async function resolveApprovalId(
  client: RunledgerClient,
  given: string,
  status: 'PENDING' | 'ALL' = 'PENDING',
): Promise<string> {
  if (isId(given)) return given;
  const wanted = given.toLowerCase();
  if (!/^[0-9a-f-]{4,}$/.test(wanted)) throw new UsageError(`"${given}" is not the id of an approval`);
  const found: string[] = [];
  let looked = 0;
  for await (const { id } of client.listApprovals({ status, pageSize: 200 })) {
    if (id.startsWith(wanted) || id.endsWith(wanted)) found.push(id);
    if (++looked === LOOKED_AT) break;
  }
  const [only] = found;
  if (only === undefined) {
    const where = status === 'ALL' ? 'no approval' : 'no approval that waits for a decision';
    throw new UsageError(`${where} has an id with "${given}" at its start or end`);
  }
  if (found.length > 1)
    throw new UsageError(`"${given}" fits ${found.length} approvals; give more of the id:`, found.slice(0, 10));
  return only;
}
