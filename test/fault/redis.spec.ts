import { describeWithRedis } from '#testing';
import { describeFaults } from './describe-faults.js';

describeWithRedis('faults, with the queue on Redis', () => describeFaults('redis'));
