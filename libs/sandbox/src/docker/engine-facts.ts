import { messageOf } from '#kernel';
import { field, type DockerEngine } from './docker-engine.js';

/** What an engine says about the isolation that it gives. */
export interface EngineFacts {
  version: string;
  /** It maps users: the container's root is not the host's. */
  userNamespace: boolean;
  rootless: boolean;
  seccomp: boolean;
  cgroupVersion: string;
  /** `NAME=value` of the image. */
  imageEnvironment: string[];
}

/** @returns the facts, or why the engine or the image cannot be used and what to do */
export async function engineFacts(engine: DockerEngine, image: string): Promise<EngineFacts | { reason: string }> {
  try {
    await engine.ping();
  } catch (error) {
    return {
      reason: `no Docker engine answers at ${engine.socketPath} (${messageOf(error)}); start it, let this user use it (group docker), or name another socket in SANDBOX_DOCKER_SOCKET; or choose SANDBOX=bubblewrap`,
    };
  }
  try {
    const [info, found] = await Promise.all([
      engine.call('GET', '/info'),
      engine.call('GET', `/images/${encodeURIComponent(image).replaceAll('%2F', '/')}/json`),
    ]);
    if (found.status === 404) {
      return {
        reason: `the Docker engine has no image ${image}; run "docker pull ${image}", or name another in SANDBOX_DOCKER_IMAGE`,
      };
    }
    if (info.status >= 400 || found.status >= 400) {
      const said = field(info.status >= 400 ? info.body : found.body, 'message');
      return { reason: `the Docker engine at ${engine.socketPath} does not answer as it should: ${String(said)}` };
    }
    return read(info.body, found.body);
  } catch (error) {
    return { reason: `the Docker engine at ${engine.socketPath} does not answer as it should: ${messageOf(error)}` };
  }
}

function read(info: unknown, image: unknown): EngineFacts {
  const options = strings(field(info, 'SecurityOptions'));
  const has = (name: string): boolean => options.some((option) => option.split(',').includes(`name=${name}`));
  return {
    version: text(field(info, 'ServerVersion'), ''),
    userNamespace: has('userns') || has('rootless'),
    rootless: has('rootless'),
    seccomp: has('seccomp'),
    cgroupVersion: text(field(info, 'CgroupVersion'), '1'),
    imageEnvironment: strings(field(image, 'Config', 'Env')),
  };
}

function text(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [];
}
