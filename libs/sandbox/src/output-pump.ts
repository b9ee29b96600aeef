import type { Socket } from 'node:net';
import type { OutputSink, OutputStream } from './driver.js';

/** A pipe that nobody writes to any more has ended; one that stays open this long without a byte is held by a process out of reach. */
const IDLE_MS = 1_000;

/** Carries output from the command's pipes to the sink, one chunk at a time and in the order read; holds at most one chunk per pipe. */
export class OutputPump {
  /** Fulfilled when both pipes have ended. */
  readonly ended: Promise<void>;
  private turn: Promise<void> = Promise.resolve();
  private busy = 0;
  private lastActivity = Date.now();
  private refused = false;

  /** @param onRefused is told once what the sink threw; later output is read and dropped, so that the command is not held up */
  constructor(
    private readonly readers: Record<OutputStream, Socket>,
    private readonly sink: OutputSink,
    private readonly onRefused: (error: unknown) => void,
  ) {
    this.ended = Promise.all([this.pump('stdout'), this.pump('stderr')]).then(() => undefined);
  }

  /** Waits for the end of both pipes, once no process of the command is left. */
  async drain(): Promise<void> {
    this.lastActivity = Date.now();
    const idle = setInterval(() => {
      if (this.busy > 0 || Date.now() - this.lastActivity < IDLE_MS) return;
      this.readers.stdout.destroy();
      this.readers.stderr.destroy();
    }, IDLE_MS / 4);
    await this.ended;
    clearInterval(idle);
  }

  private async pump(stream: OutputStream): Promise<void> {
    try {
      for await (const chunk of this.readers[stream]) await this.deliver(stream, chunk as Buffer);
    } catch {
      // A pipe destroyed by `drain` ends like any other.
    }
  }

  private deliver(stream: OutputStream, bytes: Buffer): Promise<void> {
    this.busy += 1;
    this.turn = this.turn.then(async () => {
      try {
        if (!this.refused) await this.sink(stream, bytes);
      } catch (error) {
        this.refused = true;
        this.onRefused(error);
      }
      this.busy -= 1;
      this.lastActivity = Date.now();
    });
    return this.turn;
  }
}
