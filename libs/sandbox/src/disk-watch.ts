import { setTimeout as sleep } from 'node:timers/promises';
import { diskUsage, freeBytes, tmpfsBytes, unnamedBytes } from './disk-usage.js';
import { mebibytes, type Failure } from './run-failures.js';

/** Where a command may write. */
export interface DiskPlaces {
  /** On one file system; the workdir is the first. */
  folders: readonly [string, ...string[]];
  /** The command's folder for temporary files where that is in memory, as the host sees it; null when there is none (yet). */
  memoryFolder: () => string | null;
  /** The command's processes. */
  processIds: () => number[];
}

/** Between two questions how much is free, which cost next to nothing. */
const ASK_MS = 100;
/** Counting files costs what there is to count: it rests this many times as long as it took, */
const REST = 4;
/** and this long at least, unless so much less is free that the limit may have been reached. */
const COUNT_MS = 2_000;
/** Before the first counting, this part of the limit gone from the file system calls for it. */
const SUSPICIOUS_PART = 1 / 8;

/**
 * Ends a command whose files have outgrown their limit. There is no quota that an ordinary user could set for a folder, so files are
 * counted: rarely, and at once when the file system has lost so much room that the limit may be reached, whoever took it.
 */
export class DiskWatch {
  peakBytes = 0;
  private counted: { bytes: number; free: number; at: number; tookMs: number } | null = null;
  private firstFree = 0;
  private readonly stopped = new AbortController();
  private watching: Promise<void> = Promise.resolve();
  private exceeded = false;

  constructor(
    private readonly places: DiskPlaces,
    private readonly limitBytes: number,
    private readonly onExceeded: (failure: Failure) => void,
  ) {}

  start(): void {
    this.watching = this.watch().catch(() => undefined);
  }

  /** Looks a last time: a command may have ended between two looks. To be called when no process of it is left. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.watching;
    if (!this.exceeded) await this.look().catch(() => undefined);
  }

  private async watch(): Promise<void> {
    const began = performance.now();
    this.firstFree = await freeBytes(this.places.folders[0]);
    while (!this.stopped.signal.aborted && !this.exceeded) {
      await sleep(ASK_MS, undefined, { signal: this.stopped.signal });
      await this.look(performance.now() - began);
    }
  }

  /** @param ageMs how long the command has been running; its end when not given, and then files are counted on suspicion only */
  private async look(ageMs = 0): Promise<void> {
    const [folder] = this.places.folders;
    const free = await freeBytes(folder);
    const memory = await this.inMemory();
    const { counted, limitBytes } = this;
    const suspicious =
      counted === null
        ? this.firstFree - free + memory > limitBytes * SUSPICIOUS_PART
        : counted.bytes + Math.max(0, counted.free - free) + memory > limitBytes;
    const sinceMs = counted === null ? ageMs : performance.now() - counted.at;
    const rested = counted === null || sinceMs > counted.tookMs * REST;
    if ((suspicious && rested) || sinceMs > Math.max(COUNT_MS, REST * REST * (counted?.tookMs ?? 0)))
      await this.count(free);
  }

  private async count(free: number): Promise<void> {
    const { folders } = this.places;
    const began = performance.now();
    const named = await diskUsage(folders, this.limitBytes);
    // Folders that the command has closed to us hide what is in them: then what the file system has lost is the command's.
    const hidden = named.complete ? 0 : Math.max(0, this.firstFree - free - named.bytes);
    const unnamed = named.bytes > this.limitBytes ? 0 : await unnamedBytes(this.places.processIds(), folders[0]);
    const bytes = named.bytes + hidden + unnamed;
    this.counted = { bytes, free, at: performance.now(), tookMs: performance.now() - began };
    this.judge(bytes + (await this.inMemory()));
  }

  private judge(bytes: number): void {
    this.peakBytes = Math.max(this.peakBytes, bytes);
    if (bytes <= this.limitBytes || this.exceeded) return;
    this.exceeded = true;
    this.onExceeded({
      code: 'DISK_LIMIT',
      message: `the command's workdir and folder for temporary files hold more than ${mebibytes(this.limitBytes)} MiB (limits.diskMb)`,
    });
  }

  private async inMemory(): Promise<number> {
    const folder = this.places.memoryFolder();
    return folder === null ? 0 : tmpfsBytes(folder);
  }
}
