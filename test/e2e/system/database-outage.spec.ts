import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describeWithRedis, startRedis } from '#testing';
import { openProxy, type TcpProxy } from '../../medium/api/tcp-proxy.js';
import { ended, expectAllWhole, openSystem, until, type SystemUnderTest } from './system-fixture.js';
