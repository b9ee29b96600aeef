import { jest } from '@jest/globals';

/** Servers are started and databases migrated in these tests, perhaps on a machine that is busy with something else. */
jest.setTimeout(60_000);
