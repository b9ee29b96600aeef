import { describeFaults } from './describe-faults.js';

describe('faults, with the queue in PostgreSQL', () => describeFaults('postgres'));
