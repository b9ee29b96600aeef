export { createTestDatabase } from './postgres.js';
export type { TestDatabase } from './postgres.js';
export { describeWithBubblewrap, describeWithRedis } from './requirements.js';
export { startRedis } from './redis.js';
export type { RedisServer } from './redis.js';
export { histories } from './histories.js';
export type { History } from './histories.js';
export { startSystem } from './system.js';
export type { StartSystemOptions, TestSystem } from './system.js';
