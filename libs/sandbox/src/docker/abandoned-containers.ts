import { mayBeRunning } from '../run-tag.js';
import { RUNNER_LABEL } from './container-configuration.js';
import { field, type DockerEngine } from './docker-engine.js';

/**
 * Removes containers of workers that are gone: where a worker's death was seen by nobody because what watched it was killed too.
 * @returns how many there were
 */
export async function endAbandonedContainers(engine: DockerEngine): Promise<number> {
  const filters = encodeURIComponent(JSON.stringify({ label: [RUNNER_LABEL] }));
  const list = await engine.demand('GET', `/containers/json?all=true&filters=${filters}`);
  const abandoned = (Array.isArray(list) ? list : []).filter((container: unknown) => {
    const runner = field(container, 'Labels', RUNNER_LABEL);
    return typeof runner === 'string' && !mayBeRunning(runner);
  });
  for (const container of abandoned) {
    await engine.call('DELETE', `/containers/${String(field(container, 'Id'))}?force=true&v=true`);
  }
  return abandoned.length;
}
