import { AppError } from '#kernel';
import { QueryReader, cursorAfter } from './query-reader.js';

function refusal(read: () => unknown): AppError {
  try {
    read();
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  throw new Error('nothing was refused');
}

describe('reading query parameters', () => {
  it('takes what is right and the defaults', () => {
    const id = '018f3f6e-7b1a-7000-8000-000000000001';
    const read = new QueryReader({ limit: '7', status: 'RUNNING', cursor: cursorAfter(id) });
    expect(read.integer('limit', 50, 1, 200)).toBe(7);
    expect(read.choice('status', ['RUNNING', 'FAILED'])).toBe('RUNNING');
    expect(read.idCursor()).toBe(id);
    expect(read.matching('kind', /^[A-Z]+$/)).toBeNull();
    expect(() => read.done()).not.toThrow();
    expect(new QueryReader({ cursor: cursorAfter(42) }).seqCursor()).toBe(42);
    expect(new QueryReader({}).seqCursor()).toBe(0);
  });

  it('names every wrong parameter at once', () => {
    const error = refusal(() => {
      const read = new QueryReader({
        limit: '201',
        status: 'running',
        kind: 'x',
        stauts: 'A',
        cursor: 'nonsense!',
        attempt: ['1', '2'],
      });
      read.integer('limit', 50, 1, 200);
      read.choice('status', ['RUNNING']);
      read.matching('kind', /^[A-Z]+$/);
      read.idCursor();
      read.integer('attempt', 1, 1, 9);
      read.done();
    });
    expect(error.code).toBe('VALIDATION_FAILED');
    expect(error.fields.map((field) => `${field.field}:${field.rule}`).sort()).toEqual([
      'attempt:single',
      'cursor:cursor',
      'kind:pattern',
      'limit:range',
      'status:enum',
      'stauts:unknown',
    ]);
    expect(error.fields.every((field) => field.message.startsWith(`${field.field} `))).toBe(true);
  });

  it.each(['0', '-1', '1.5', '1e2', ' 1', '', '99999999999999999999', '0x10'])('refuses %j as a limit', (limit) => {
    const read = new QueryReader({ limit });
    read.integer('limit', 50, 1, 200);
    expect(refusal(() => read.done()).fields[0]?.rule).toBe('range');
  });

  it.each(['MQ==', 'Mg', '', '!!', Buffer.from("1' OR '1'='1").toString('base64url'), cursorAfter(5)])(
    'refuses %j as an id cursor',
    (cursor) => {
      const read = new QueryReader({ cursor });
      read.idCursor();
      expect(refusal(() => read.done()).fields[0]?.rule).toBe('cursor');
    },
  );
});
