export { childEnvironment } from './child-environment.js';
export { LOG_LEVELS, SANDBOX_DRIVERS } from './config.js';
export type { Config, LogLevel, SandboxDriverName } from './config.js';
export { loadConfig } from './load-config.js';
export { onParentExit } from './parent-exit.js';
export { ProcessLog } from './process-log.js';
export { onNpmExit } from './npm-exit.js';
