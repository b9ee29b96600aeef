import { AppError } from '#kernel';
import { namingDatabase, toDatabaseError } from './database-error.js';

const failure = (properties: object, message = 'it failed'): Error => Object.assign(new Error(message), properties);

it.each<[name: string, error: unknown]>([
  ['a refused connection', failure({ code: 'ECONNREFUSED' })],
  [
    'several refused connections',
    new AggregateError([failure({ code: 'ECONNREFUSED' }, 'connect ECONNREFUSED ::1:5432')]),
  ],
  ['an administrator shutdown', failure({ code: '57P01', severity: 'FATAL' })],
  ['a server that starts', failure({ code: '57P03', severity: 'FATAL' })],
  ['a broken protocol', failure({ code: '08006' })],
  ['no more connections', failure({ code: '53300', severity: 'FATAL' })],
  ['a connect timeout of the pool', new Error('timeout exceeded when trying to connect')],
  ['a closed pool', new Error('Cannot use a pool after calling end on the pool')],
  ['a lost connection', new Error('Connection terminated unexpectedly')],
  ['Prisma without a connection', failure({ code: 'P1001' })],
  [
    'Prisma around the cause',
    failure({ code: 'P2010', meta: { driverAdapterError: { cause: { code: 'ECONNRESET' } } } }),
  ],
])('%s is DATABASE_UNAVAILABLE and worth another try', (_, error) => {
  const reported = toDatabaseError(error);
  expect(reported).toBeInstanceOf(AppError);
  expect(reported).toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true, cause: error });
});

it('names the reason also where it hides among several', () => {
  const error = new AggregateError([failure({ code: 'ECONNREFUSED' }, 'connect ECONNREFUSED ::1:5432')]);
  expect(toDatabaseError(error)).toMatchObject({ message: expect.stringContaining('connect ECONNREFUSED ::1:5432') });
});

it('says what to do about a login that is refused', () => {
  const error = failure({ code: '28P01', severity: 'FATAL' }, 'password authentication failed');
  expect(toDatabaseError(error)).toMatchObject({
    code: 'CONFIG_INVALID',
    retryable: false,
    message: expect.stringContaining('the password'),
  });
});

it.each<[name: string, error: unknown]>([
  ['a unique violation', failure({ code: '23505', severity: 'ERROR' })],
  ['a missing right of a statement', failure({ code: '42501', severity: 'ERROR' })],
  ['a statement timeout', failure({ code: '57014', severity: 'ERROR' })],
  ['a lost race', failure({ code: '40001', severity: 'ERROR' })],
  ['an error of ours', new AppError('NOT_FOUND', 'no such job')],
  ['a bug', new TypeError('x is not a function')],
  ['nothing', undefined],
])('%s stays what it is', (_, error) => {
  expect(toDatabaseError(error)).toBe(error);
});

describe('namingDatabase', () => {
  const fail = (url: string | undefined, error: Error): Promise<unknown> =>
    namingDatabase('DATABASE_URL', url, () => Promise.reject(error)).then(
      () => 'it went well',
      (thrown: unknown) => thrown,
    );

  it.each([
    ['postgres://u:secret@db.example:6000/x', 'db.example:6000'],
    ['postgres://u:secret@db.example/x', 'db.example:5432'],
    ['postgres:///x?host=/run/postgresql', '/run/postgresql:5432'],
  ])('names the setting and the server of %s, and no password', async (url, server) => {
    expect(await fail(url, failure({ code: 'ECONNREFUSED' }, 'connect ECONNREFUSED'))).toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      message: `PostgreSQL at ${server} does not answer (connect ECONNREFUSED): start it, or correct DATABASE_URL`,
    });
    expect(await fail(url, failure({ code: '28P01', severity: 'FATAL' }, 'no such password'))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(`^PostgreSQL at ${server} \\(DATABASE_URL\\): .*no such password`) as string,
    });
  });

  it('leaves everything else as it is', async () => {
    const other = new Error('a defect');
    expect(await fail('postgres://h/x', other)).toBe(other);
    expect(await fail(undefined, failure({ code: 'ECONNREFUSED' }))).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  });
});
