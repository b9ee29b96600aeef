import { basename, resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import type { Artifact, ArtifactFilter, ArtifactScope, RunledgerClient } from '#client';
import { downloadArtifact, downloadArtifactTo, writeComplete } from '../artifact-files.js';
import { addServerOptions, connect, resolveJobId, type ServerOptions } from '../connect.js';
import { UsageError } from '../failure.js';
import { versionTable } from '../terminal/artifact-text.js';
import { formatBytes } from '../terminal/format.js';
import { artifactTable } from '../terminal/job-text.js';
import type { Terminal } from '../terminal/terminal.js';

const EXAMPLES = `
Examples:
  $ runledger artifacts latest                                what the newest job kept
  $ runledger artifacts latest --download out/                 ... into a folder
  $ runledger artifacts list --latest --kind report           the newest version of each report of the workspace
  $ runledger artifacts versions report weekly                all versions of one
  $ runledger artifacts download 0198f3c2-... -o weekly.md    one of them
  $ runledger artifacts export -o out.zip                     the newest version of everything, as an archive`;

export function artifactsCommand(program: Command, terminal: Terminal): void {
  const artifacts = program
    .command('artifacts')
    .summary('list, download or export what jobs kept')
    .description('List, download or export what jobs kept; every download is checked against its SHA-256.')
    .addHelpText('after', EXAMPLES);
  listCommand(artifacts, terminal);
  versionsCommand(artifacts, terminal);
  downloadCommand(artifacts, terminal);
  exportCommand(artifacts, terminal);
}

interface ScopeOptions extends ServerOptions {
  project?: string;
  kind?: string;
}

interface ListOptions extends ScopeOptions {
  key?: string;
  latest?: boolean;
  limit: number;
  download?: string;
}

function addScopeOptions(command: Command): Command {
  return command
    .option('--project <id>', 'only of this project; "none" for what has no project')
    .option('--kind <kind>', 'only of this kind');
}

function listCommand(artifacts: Command, terminal: Terminal): void {
  addScopeOptions(addServerOptions(artifacts.command('list', { isDefault: true }).alias('ls')))
    .summary('what a job kept, or the whole workspace')
    .description(
      'List the artifacts of a job, or download them; without a job, list those of the workspace, newest first.',
    )
    .argument('[job]', 'its id, the start or end of it, or "latest"')
    .option('--key <key>', 'only those with this logical key')
    .option('--latest', 'only the latest version of each')
    .option('-n, --limit <number>', 'how many of the workspace', parseLimit, 50)
    .option('-d, --download <dir>', 'write those of the job into this folder, under their paths; of several the newest')
    .addHelpText('after', EXAMPLES)
    .action(async (given: string | undefined, options: ListOptions) => {
      if (given === undefined) return listWorkspace(options, terminal);
      for (const name of ['project', 'kind', 'key', 'latest'] as const)
        if (options[name] !== undefined)
          throw new UsageError(`--${name} chooses among the artifacts of the workspace: leave out the job`);
      return listJob(given, options, terminal);
    });
}

async function listWorkspace(options: ListOptions, terminal: Terminal): Promise<void> {
  if (options.download !== undefined)
    throw new UsageError('--download needs a job', ['"runledger artifacts export" takes those of the workspace.']);
  const client = await connect(options);
  const filter: ArtifactFilter = {
    ...scopeOf(options),
    ...(options.key === undefined ? {} : { logicalKey: options.key }),
    latest: options.latest === true,
    pageSize: Math.min(options.limit, 200),
  };
  const found: Artifact[] = [];
  for await (const artifact of client.workspaceArtifacts(filter)) {
    if (options.json === true) terminal.json(artifact);
    if (found.push(artifact) >= options.limit) break;
  }
  if (options.json === true) return;
  if (found.length === 0) terminal.note(terminal.noteColors.dim('there are no such artifacts'));
  else versionTable(found, terminal.columns, terminal.colors).forEach((line) => terminal.line(line));
}

async function listJob(given: string, options: ListOptions, terminal: Terminal): Promise<void> {
  const client = await connect(options);
  const found: Artifact[] = [];
  for await (const artifact of client.artifacts(await resolveJobId(client, given))) found.push(artifact);
  const { download } = options;
  if (download === undefined && options.json !== true) {
    if (found.length === 0) terminal.note(terminal.noteColors.dim('the job has no artifacts'));
    else artifactTable(found, terminal.columns, terminal.colors).forEach((line) => terminal.line(line));
    return;
  }
  const written = new Set<string>();
  for (const artifact of found) {
    // Newest first: of several under one path the newest is the one that stays.
    if (download !== undefined && written.has(artifact.path)) continue;
    written.add(artifact.path);
    const file = download === undefined ? undefined : await downloadArtifact(client, artifact, resolve(download));
    if (options.json === true) terminal.json(file === undefined ? artifact : { ...artifact, file });
    else terminal.line(`${file} ${terminal.colors.dim(formatBytes(artifact.sizeBytes))}`);
  }
}

function versionsCommand(artifacts: Command, terminal: Terminal): void {
  addServerOptions(artifacts.command('versions'))
    .summary('all versions of one artifact')
    .description('List all versions of one artifact, the latest first.')
    .argument('<kind>', 'such as "file" or "report"')
    .argument('<key>', 'its logical key: the path, where the step names no other')
    .option('--project <id>', 'of this project; without it, what has no project')
    .addHelpText('after', '\nExamples:\n  $ runledger artifacts versions report weekly --json | jq -r .sha256')
    .action(async (kind: string, logicalKey: string, options: ScopeOptions) => {
      const client = await connect(options);
      const found: Artifact[] = [];
      for await (const artifact of client.artifactVersions({ ...scopeOf(options), kind, logicalKey })) {
        if (options.json === true) terminal.json(artifact);
        else found.push(artifact);
      }
      if (options.json !== true)
        versionTable(found, terminal.columns, terminal.colors).forEach((line) => terminal.line(line));
    });
}

function downloadCommand(artifacts: Command, terminal: Terminal): void {
  addServerOptions(artifacts.command('download'))
    .summary('one version, into a file')
    .description('Download one artifact and check it against its SHA-256.')
    .argument('<artifact>', 'its id, as list and versions show it')
    .option('-o, --output <file>', 'where to (default: its name, in this folder)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger artifacts download 0198f3c2-7b1a-7000-8000-000000000001 -o weekly.md',
    )
    .action(async (artifactId: string, options: ServerOptions & { output?: string }) => {
      const client = await connect(options);
      const artifact = await client.artifact(artifactId);
      const file = resolve(options.output ?? basename(artifact.path));
      await downloadArtifactTo(client, artifact, file);
      if (options.json === true) terminal.json({ ...artifact, file });
      else terminal.line(`${file} ${terminal.colors.dim(formatBytes(artifact.sizeBytes))}`);
    });
}

interface ExportOptions extends ScopeOptions {
  job?: string;
  output: string;
}

function exportCommand(artifacts: Command, terminal: Terminal): void {
  addScopeOptions(addServerOptions(artifacts.command('export')))
    .summary('the latest version of each, as an archive')
    .description(
      'Download the latest version of each artifact as a ZIP archive with a manifest. The same contents give the same bytes.',
    )
    .option('-o, --output <file>', 'where to', 'artifacts.zip')
    .option('--job <job>', 'only what this job kept: its id, the start or end of it, or "latest"')
    .addHelpText(
      'after',
      '\nExamples:\n  $ runledger artifacts export -o out.zip\n  $ runledger artifacts export --job latest',
    )
    .action(async (options: ExportOptions) => {
      const client = await connect(options);
      const file = resolve(options.output);
      const { sha256, sizeBytes } = await writeComplete(file, await archiveOf(client, options));
      if (options.json === true) terminal.json({ file, sizeBytes, sha256 });
      else terminal.line(`${file} ${terminal.colors.dim(`${formatBytes(sizeBytes)}, SHA-256 ${sha256}`)}`);
    });
}

async function archiveOf(client: RunledgerClient, options: ExportOptions): Promise<ReadableStream<Uint8Array>> {
  if (options.job === undefined) return client.exportArtifacts(scopeOf(options));
  if (options.project !== undefined || options.kind !== undefined)
    throw new UsageError('--project and --kind choose among the artifacts of the workspace: leave out --job');
  return client.exportJobArtifacts(await resolveJobId(client, options.job));
}

function scopeOf({ project, kind }: ScopeOptions): ArtifactScope {
  return {
    ...(project === undefined ? {} : { projectId: project }),
    ...(kind === undefined ? {} : { kind }),
  };
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return limit;
}
