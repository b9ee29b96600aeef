import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createSandboxDriver,
  type OutputSink,
  type SandboxCommand,
  type SandboxDriver,
  type SandboxDriverName,
  type SandboxDriverOptions,
  type SandboxLimits,
  type SandboxResult,
} from '#sandbox';
import { processesWith, processIds } from './host-processes.js';

const MIB = 1024 * 1024;

export interface RunOptions {
  env?: Record<string, string>;
  limits?: Partial<SandboxLimits>;
  graceMs?: number;
  workdir?: string;
  readOnlyPaths?: string[];
  network?: 'none' | 'full';
  stop?: AbortSignal;
  onOutput?: OutputSink;
}

export interface Run extends SandboxResult {
  stdout: string;
  stderr: string;
  elapsedMs: number;
}

/** A driver, a workdir, and the proof after every test that nothing of its runs is left: no process, descriptor or file. */
export class SandboxFixture {
  readonly driver: SandboxDriver;
  private readonly folder = mkdtempSync(join(tmpdir(), 'sandbox-test-'));
  private readonly scratchFolder = mkdtempSync(join(this.folder, 'scratch-'));
  readonly workdir = mkdtempSync(join(this.folder, 'workdir-'));
  private readonly mark = randomUUID();
  private readonly descriptors = openDescriptors();
  private readonly children = children();

  constructor(name: SandboxDriverName, options: SandboxDriverOptions = {}) {
    this.driver = createSandboxDriver(name, { ...options, scratchFolder: this.scratchFolder });
  }

  /** Runs a script to its end. */
  async run(script: string, options: RunOptions = {}): Promise<Run> {
    const output = { stdout: '', stderr: '' };
    const began = Date.now();
    const collect: OutputSink = (stream, bytes) => void (output[stream] += bytes.toString());
    const stop = options.stop ?? new AbortController().signal;
    const result = await this.driver.run(this.command(script, options), options.onOutput ?? collect, stop);
    // Now, not after the test: what would end by itself a moment later has been left running all the same.
    const left = processesWith(this.mark);
    if (left.length > 0) throw new Error(`left running: ${left.join(', ')}`);
    return { ...result, ...output, elapsedMs: Date.now() - began };
  }

  private command(script: string, options: RunOptions): SandboxCommand {
    return {
      script,
      workdir: options.workdir ?? this.workdir,
      env: { TEST_MARK: this.mark, ...options.env },
      readOnlyPaths: options.readOnlyPaths ?? [],
      graceMs: options.graceMs ?? 500,
      ...(options.network !== undefined && { network: options.network }),
      limits: {
        timeoutMs: 60_000,
        memoryBytes: 2048 * MIB,
        processes: 256,
        fileSizeBytes: 64 * MIB,
        diskBytes: 1024 * MIB,
        ...options.limits,
      },
    };
  }

  async close(): Promise<void> {
    const scratch = readdirSync(this.scratchFolder);
    const left = processesWith(this.mark);
    const offspring = children();
    rmSync(this.folder, { recursive: true, force: true });
    // The event loop closes some a moment later, and the test runner opens some of its own for a moment; what leaked stays open.
    for (let looks = 0; openDescriptors() > this.descriptors && looks < 100; looks += 1) await sleep(20);
    expect(scratch).toEqual([]);
    expect(left).toEqual([]);
    expect(offspring).toEqual(this.children);
    expect(openDescriptors()).toBeLessThanOrEqual(this.descriptors);
  }
}

/** This process's children: a run must not add to them, not as a zombie either. */
function children(): string[] {
  return processIds().filter((pid) => {
    try {
      return new RegExp(`^PPid:\\s+${process.pid}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false;
    }
  });
}

function openDescriptors(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0;
}
