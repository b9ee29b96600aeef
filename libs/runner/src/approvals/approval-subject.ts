import { canonicalJson, sha256Hex, storableText, type Json, type JsonObject } from '#kernel';

// Types and not interfaces: they go into the ledger, and only a type is known to have no more than it says.

/** A file of the workdir as it is approved. */
export type ApprovedFile = {
  path: string;
  sha256: string;
  sizeBytes: number;
};

export type ApprovedArtifact = {
  artifactId: string;
  kind: string;
  logicalKey: string;
  version: number;
  sha256: string;
  sizeBytes: number;
};

/** A step's command: its whole definition, the env of the job, and the values of expressions as far as they are known. */
export type ApprovedCommand = {
  stepKey: string;
  sha256: string;
  /** For the approver to read, cut where it is long. The digest covers all of it. */
  run: string;
  values: { expression: string; value: string }[];
};

export type ApprovedTree = {
  count: number;
  sizeBytes: number;
  /** Of all entries. */
  sha256: string;
  /** The first ones. */
  listed: ApprovedFile[];
};

/** What is approved; null where the request is not about that. */
export type SubjectParts = {
  summary: string | null;
  files: ApprovedTree | null;
  artifacts: { count: number; sha256: string; listed: ApprovedArtifact[] } | null;
  command: ApprovedCommand | null;
  /** The definition of the whole job. */
  definition: { sha256: string } | null;
};

/** What is approved, in the form in which it goes into the ledger. `digest` stands for all of it. */
export type ApprovalSubject = SubjectParts & { digest: string };

/** What a request shows of its files at most: the digest covers all of them. */
const LISTED_FILES = 200;
const LISTED_PATH_BYTES = 16 * 1024;

const SHOWN_SUMMARY = 2_000;
const SHOWN_SCRIPT = 4_000;
const SHOWN_VALUES = 20;
const SHOWN_VALUE = 200;

/**
 * Binds the parts together: SHA-256 of the canonical JSON (RFC 8785) of exactly `{v, summary, files, artifacts, command, definition}`, `v`
 * being 1, each part being its own SHA-256 and the summary its text, null where there is none.
 */
export function approvalSubject(parts: SubjectParts): ApprovalSubject {
  const { files, artifacts, command, definition } = parts;
  const summary = parts.summary === null ? null : storableText(parts.summary, SHOWN_SUMMARY);
  const digest = digestOf({
    v: 1,
    summary,
    files: files?.sha256 ?? null,
    artifacts: artifacts?.sha256 ?? null,
    command: command?.sha256 ?? null,
    definition: definition?.sha256 ?? null,
  });
  return { summary, digest, files, artifacts, command, definition };
}

/** The tree of some files: SHA-256 of the canonical JSON of `[[path, sha256, sizeBytes], ...]`, in the order of their paths' UTF-16 code units. */
export function approvedTree(files: ApprovedFile[]): ApprovedTree {
  const sorted = [...files].sort((one, other) => (one.path < other.path ? -1 : 1));
  const listed: ApprovedFile[] = [];
  let bytes = 0;
  for (const file of sorted.slice(0, LISTED_FILES)) {
    bytes += Buffer.byteLength(file.path);
    if (bytes > LISTED_PATH_BYTES) break;
    listed.push(file);
  }
  return {
    count: sorted.length,
    sizeBytes: sorted.reduce((sum, file) => sum + file.sizeBytes, 0),
    sha256: digestOf(sorted.map(({ path, sha256, sizeBytes }) => [path, sha256, sizeBytes])),
    listed,
  };
}

/** The same of artifacts: `[[kind, logicalKey, version, sha256, sizeBytes], ...]` in the order given. */
export function approvedArtifacts(listed: ApprovedArtifact[]): NonNullable<SubjectParts['artifacts']> {
  const entries = listed.map((one) => [one.kind, one.logicalKey, one.version, one.sha256, one.sizeBytes]);
  return { count: listed.length, sha256: digestOf(entries), listed };
}

/**
 * @param step the step's definition as it was accepted
 * @param values of the expressions in script and env, by their source; null where a value is not known yet
 */
export function approvedCommand(
  stepKey: string,
  run: string,
  step: JsonObject,
  env: JsonObject,
  values: Map<string, string | null>,
): ApprovedCommand {
  const known = [...values].flatMap(([expression, value]) => (value === null ? [] : [{ expression, value }]));
  return {
    stepKey,
    sha256: digestOf({ step, env, values: Object.fromEntries(values) }),
    run: storableText(run, SHOWN_SCRIPT),
    values: known.slice(0, SHOWN_VALUES).map(({ expression, value }) => ({
      expression: storableText(expression, SHOWN_VALUE),
      value: storableText(value, SHOWN_VALUE),
    })),
  };
}

export function digestOf(value: Json): string {
  return sha256Hex(canonicalJson(value));
}
