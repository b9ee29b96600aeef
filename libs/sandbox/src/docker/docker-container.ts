import type { Duplex } from 'node:stream';
import type { Endable } from '../ending.js';
import { field, type DockerEngine } from './docker-engine.js';

/** Every process but the container's init and the one that sends it: kill(2) leaves these two out of -1. */
const ASK_ALL = ['/bin/sh', '-c', 'kill -s TERM -- -1'];
/** The container's init and the supervising shell. */
const SUPERVISORS = 2;

/** One container of the engine's, from its making to its removal. */
export class DockerContainer implements Endable {
  private isReady = false;
  private askedEarly = false;
  private striking = false;

  private constructor(
    private readonly engine: DockerEngine,
    private readonly id: string,
  ) {}

  /** @throws AppError SANDBOX_UNAVAILABLE with what the engine said */
  static async create(engine: DockerEngine, name: string, configuration: unknown): Promise<DockerContainer> {
    const made = await engine.demand('POST', `/containers/create?name=${name}`, configuration);
    return new DockerContainer(engine, String(field(made, 'Id')));
  }

  attach(): Promise<Duplex> {
    return this.engine.hijack(`/containers/${this.id}/attach?stream=1&stdin=1&stdout=1&stderr=1`);
  }

  /** @returns the exit code, when it has ended. @throws when the engine goes away meanwhile */
  async wait(): Promise<number> {
    const { body } = await this.engine.call('POST', `/containers/${this.id}/wait?condition=next-exit`, undefined, 0);
    const code = field(body, 'StatusCode');
    if (typeof code !== 'number') throw new Error('the Docker engine did not tell the exit code');
    return code;
  }

  async start(): Promise<void> {
    await this.engine.demand('POST', `/containers/${this.id}/start`);
  }

  /** Whether its supervisor has come up. */
  get ready(): boolean {
    return this.isReady;
  }

  /** To be called when its supervisor is there: before that nobody could be asked to end. */
  becomeReady(): void {
    this.isReady = true;
    if (this.askedEarly) this.terminate();
  }

  terminate(): void {
    if (this.isReady) void this.execute(ASK_ALL).catch(() => undefined);
    else this.askedEarly = true;
  }

  /** The kernel signals all of a PID namespace at once: nobody comes too late. */
  terminateOrphans(): void {
    return;
  }

  kill(): void {
    if (this.striking) return;
    this.striking = true;
    void this.engine
      .call('POST', `/containers/${this.id}/kill?signal=KILL`)
      .catch(() => undefined)
      .finally(() => (this.striking = false));
  }

  /** How many processes the command has; null when the engine does not say. */
  async processes(): Promise<number | null> {
    const { body } = await this.engine.call('GET', `/containers/${this.id}/top?ps_args=-eo%20pid`);
    const list = field(body, 'Processes');
    return Array.isArray(list) ? Math.max(0, list.length - SUPERVISORS) : null;
  }

  /** Whether the kernel has ended one of its processes for want of memory. */
  async outOfMemory(): Promise<boolean> {
    const { body } = await this.engine.call('GET', `/containers/${this.id}/json`);
    return field(body, 'State', 'OOMKilled') === true;
  }

  async memoryBytes(): Promise<number> {
    const { body } = await this.engine.call('GET', `/containers/${this.id}/stats?stream=false&one-shot=true`);
    const usage = field(body, 'memory_stats', 'usage');
    return typeof usage === 'number' ? usage : 0;
  }

  async remove(): Promise<void> {
    await this.engine.call('DELETE', `/containers/${this.id}?force=true&v=true`).catch(() => undefined);
  }

  private async execute(command: string[]): Promise<void> {
    const made = await this.engine.demand('POST', `/containers/${this.id}/exec`, { Cmd: command });
    await this.engine.demand('POST', `/exec/${String(field(made, 'Id'))}/start`, { Detach: true });
  }
}
