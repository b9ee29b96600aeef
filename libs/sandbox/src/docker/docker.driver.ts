import { randomBytes, randomUUID } from 'node:crypto';
import { messageOf, systemClock } from '#kernel';
import type { OutputSink, SandboxCommand, SandboxDriver, SandboxResult } from '../driver.js';
import { makeScratch, missingWorkdir, type DockerOptions, type SandboxDriverOptions } from '../run-environment.js';
import { abortFailure, notRun } from '../run-failures.js';
import { runnerName } from '../run-tag.js';
import { containerConfiguration, CONTAINER_WORKDIR, tmpBytes } from './container-configuration.js';
import { runContainer, type ContainerRun } from './container-run.js';
import { containerCommand } from './container-script.js';
import { endAbandonedContainers } from './abandoned-containers.js';
import { DockerEngine } from './docker-engine.js';
import { engineFacts, type EngineFacts } from './engine-facts.js';

const DEFAULTS: DockerOptions = { image: 'node:20-bookworm', socket: '/var/run/docker.sock' };

/**
 * Runs commands in containers of a Docker engine on this host: no network unless it is given, a read-only root file system of the
 * image, no capability, no new privileges, the engine's filter of system calls, and its control groups for memory and processes.
 */
export class DockerDriver implements SandboxDriver {
  readonly name = 'docker';
  private readonly docker: DockerOptions;
  private readonly engine: DockerEngine;
  private known: EngineFacts | undefined;

  constructor(private readonly options: SandboxDriverOptions = {}) {
    this.docker = options.docker ?? DEFAULTS;
    this.engine = new DockerEngine(this.docker.socket);
  }

  workdirInside(): string {
    return CONTAINER_WORKDIR;
  }

  async unavailable(): Promise<string | null> {
    const found = await this.find();
    return 'reason' in found ? found.reason : null;
  }

  async endAbandonedRuns(): Promise<number> {
    return endAbandonedContainers(this.engine).catch(() => 0);
  }

  async run(command: SandboxCommand, onOutput: OutputSink, stop: AbortSignal): Promise<SandboxResult> {
    const startedAt = systemClock.now();
    const found = await this.find();
    if ('reason' in found) {
      return notRun({ code: 'SANDBOX_UNAVAILABLE', message: found.reason }, startedAt, { driver: this.name });
    }
    const facts = this.facts(found, command);
    const missing = await missingWorkdir(command);
    if (missing !== null) return notRun(missing, startedAt, facts);
    if (stop.aborted) return notRun(abortFailure(stop), startedAt, facts);
    try {
      return await runContainer(await this.plan(found, facts, command), command, onOutput, stop);
    } catch (error) {
      return notRun({ code: 'SANDBOX_UNAVAILABLE', message: messageOf(error) }, startedAt, facts);
    }
  }

  /** An engine that answered once is not asked again before each command; one that did not may have been started since. */
  private async find(): Promise<EngineFacts | { reason: string }> {
    if (this.known !== undefined) return this.known;
    const found = await engineFacts(this.engine, this.docker.image);
    if (!('reason' in found)) this.known = found;
    return found;
  }

  private async plan(
    engine: EngineFacts,
    facts: SandboxResult['facts'],
    command: SandboxCommand,
  ): Promise<ContainerRun> {
    const token = randomBytes(12).toString('hex');
    const runner = runnerName();
    return {
      engine: this.engine,
      name: `runledger-${runner}-${randomUUID()}`,
      token,
      scratch: await makeScratch(this.options),
      configuration: containerConfiguration({
        image: this.docker.image,
        imageEnvironment: engine.imageEnvironment,
        runner,
        engine,
        command,
        arguments: containerCommand(token, command.graceMs),
      }),
      facts,
    };
  }

  private facts(engine: EngineFacts, command: SandboxCommand): SandboxResult['facts'] {
    return {
      driver: this.name,
      image: this.docker.image,
      engine: engine.version,
      network: command.network ?? 'none',
      userNamespace: engine.userNamespace,
      capabilities: 'none',
      noNewPrivileges: true,
      seccomp: engine.seccomp ? 'engine' : 'none',
      memory: `cgroup-v${engine.cgroupVersion}`,
      processes: `cgroup-v${engine.cgroupVersion}`,
      fileSize: 'rlimit',
      disk: 'watch',
      tmpBytes: tmpBytes(command),
    };
  }
}
