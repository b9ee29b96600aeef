/** @jest-config-loader esbuild-register */
import { readFileSync } from 'node:fs';
import type { Config } from 'jest';

/** The build's own compiler settings; only the exclusion of specs is the build's alone. */
const swc = { ...JSON.parse(readFileSync('.swcrc', 'utf8')), exclude: [], swcrc: false };

/** What every tier shares: ESM TypeScript through SWC, libs by their `#name`. */
const shared: Config = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', swc] },
  moduleNameMapper: {
    '^#(kernel|config|database|queue|ledger|runner|schedules|sandbox|artifacts|identity|client|testing)$':
      '<rootDir>/libs/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^content-disposition$': '<rootDir>/test/shims/content-disposition.cjs',
  },
  injectGlobals: true,
};

/** What needs a database: one PostgreSQL server for the whole run. */
const withPostgres: Config = {
  ...shared,
  globalSetup: '<rootDir>/test/global-setup.mjs',
  globalTeardown: '<rootDir>/test/global-teardown.mjs',
  setupFilesAfterEnv: ['<rootDir>/test/patience.ts'],
};

export default {
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/{apps,libs}/**/*.spec.ts'] },
    { ...withPostgres, displayName: 'medium', testMatch: ['<rootDir>/test/medium/**/*.spec.ts'] },
    { ...withPostgres, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.spec.ts'] },
    // Crashes its servers, so it starts its own.
    { ...shared, displayName: 'fault', testMatch: ['<rootDir>/test/fault/**/*.spec.ts'] },
  ],
} satisfies Config;
