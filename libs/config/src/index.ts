export { childEnvironment } from './child-environment.js';
export { LOG_LEVELS, SANDBOX_DRIVERS } from './config.js';
export type { Config, LogLevel, SandboxDriverName } from './config.js';
export { makeDataFolder } from './data-folder.js';
export { loadConfig } from './load-config.js';
export { runProcess, stopInOrder } from './process-life.js';
export { ProcessLog } from './process-log.js';
export { onNpmExit } from './npm-exit.js';
