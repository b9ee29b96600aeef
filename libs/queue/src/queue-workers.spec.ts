import { AppError } from '#kernel';
import { QueueWorkers, proveProcessors } from './queue-workers.js';
import { QUEUE_NAMES, parseQueueNames } from './queues.js';

const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError && error.code === 'CONFIG_INVALID') return error.message;
    throw error;
  }
  return 'nothing was thrown';
};

describe('the boot check of a worker process', () => {
  it('accepts exactly one processor for each served queue', () => {
    expect(() => proveProcessors(QUEUE_NAMES, QUEUE_NAMES)).not.toThrow();
  });

  it('names a served queue without a processor', () => {
    expect(message(() => proveProcessors(['runner'], []))).toContain('queue "runner" is served and has no processor');
  });

  it('names a queue with two processors', () => {
    expect(message(() => proveProcessors(['runner'], ['runner', 'runner']))).toContain(
      'queue "runner" is served and has 2 processors',
    );
  });

  it('names a processor whose queue is not served', () => {
    expect(message(() => proveProcessors([], ['runner']))).toContain(
      'queue "runner" has a processor and is not served',
    );
  });

  it('fails before anything is dialled', async () => {
    const workers = new QueueWorkers({ backend: 'redis', url: 'redis://127.0.0.1:1' });
    await expect(workers.start(['runner'])).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await workers.onApplicationShutdown();
  });
});

describe('parseQueueNames', () => {
  it('reads a list, each name once', () => {
    expect(parseQueueNames(' runner, runner')).toEqual(['runner']);
  });

  it('refuses an unknown name and an empty list, and says which queues there are', () => {
    expect(message(() => parseQueueNames('runner,toString'))).toBe('unknown queue: toString; the queues are: runner');
    expect(message(() => parseQueueNames(' , '))).toBe('no queue is named; the queues are: runner');
  });
});
