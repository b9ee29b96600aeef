import type { SandboxCommand } from '../driver.js';
import { taskLimit } from '../shell-script.js';
import type { EngineFacts } from './engine-facts.js';

/** Where a command finds its working directory. */
export const CONTAINER_WORKDIR = '/workdir';
/** Says whose container it is, so that a worker which starts finds those of workers that are gone. */
export const RUNNER_LABEL = 'runledger.runner';

const TMP = '/tmp';
const MAX_TMP_BYTES = 1024 * 1024 * 1024;
const MAX_SHM_BYTES = 64 * 1024 * 1024;
/** For the init and the supervising shell, in the container's control group with the command. */
const SUPERVISORS_BYTES = 16 * 1024 * 1024;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ContainerPlan {
  image: string;
  /** What the image sets, `NAME=value`. */
  imageEnvironment: readonly string[];
  runner: string;
  engine: EngineFacts;
  command: SandboxCommand;
  /** Arguments of `/bin/sh`. */
  arguments: readonly string[];
}

/** What the engine is asked for: the body of `POST /containers/create`. */
export function containerConfiguration(plan: ContainerPlan): unknown {
  const { command, engine } = plan;
  return {
    Image: plan.image,
    Entrypoint: ['/bin/sh'],
    Cmd: plan.arguments,
    // In a rootless engine the container's root is the user that runs it, and nobody on the host is 1000 inside.
    User: engine.rootless ? '0:0' : `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`,
    Env: environment(plan),
    WorkingDir: CONTAINER_WORKDIR,
    Hostname: 'sandbox',
    Labels: { [RUNNER_LABEL]: plan.runner },
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    StdinOnce: true,
    Tty: false,
    HostConfig: {
      ...limits(command),
      Init: true,
      NetworkMode: command.network === 'full' ? 'bridge' : 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      Privileged: false,
      IpcMode: 'private',
      CgroupnsMode: 'private',
      // Output goes to the worker and nowhere else: a log of the engine's would fill its disk.
      LogConfig: { Type: 'none' },
      Mounts: [
        bind(command.workdir, CONTAINER_WORKDIR, false),
        ...command.readOnlyPaths.map((path) => bind(path, path, true)),
      ],
    },
  };
}

/** The size of the folder for temporary files. */
export function tmpBytes({ limits: { memoryBytes, diskBytes } }: SandboxCommand): number {
  return Math.min(Math.floor((memoryBytes * 3) / 8), diskBytes, MAX_TMP_BYTES);
}

function limits(command: SandboxCommand): Record<string, unknown> {
  const { memoryBytes, processes, fileSizeBytes } = command.limits;
  const memory = memoryBytes + SUPERVISORS_BYTES;
  return {
    Memory: memory,
    // Of both together: none is left for swap.
    MemorySwap: memory,
    PidsLimit: taskLimit(processes),
    Ulimits: [
      { Name: 'fsize', Soft: fileSizeBytes, Hard: fileSizeBytes },
      { Name: 'core', Soft: 0, Hard: 0 },
    ],
    ShmSize: Math.min(Math.floor(memoryBytes / 8), MAX_SHM_BYTES),
    Tmpfs: { [TMP]: `rw,exec,nosuid,nodev,mode=1777,size=${tmpBytes(command)}` },
  };
}

/** The image's own variables are none of the command's, but for the way to its programs; a name without a value takes it away. */
function environment({ imageEnvironment, command }: ContainerPlan): string[] {
  const names = [...imageEnvironment.map((entry) => entry.split('=')[0] ?? ''), 'HOSTNAME'];
  const path = imageEnvironment.find((entry) => entry.startsWith('PATH=')) ?? `PATH=${SYSTEM_PATH}`;
  const own: Record<string, string> = {
    PATH: path.slice('PATH='.length),
    HOME: TMP,
    TMPDIR: TMP,
    LANG: 'C.UTF-8',
    ...command.env,
  };
  const removed = names.filter((name) => name !== '' && !(name in own));
  return [...removed, ...Object.entries(own).map(([name, value]) => `${name}=${value}`)];
}

function bind(source: string, target: string, readOnly: boolean): Record<string, unknown> {
  return { Type: 'bind', Source: source, Target: target, ReadOnly: readOnly, BindOptions: { Propagation: 'rprivate' } };
}
