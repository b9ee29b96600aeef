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

  it('reads ids, words, texts and flags', () => {
    const id = '018f3f6e-7b1a-7000-8000-000000000001';
    const read = new QueryReader({ a: id, b: 'none', c: 'a name', d: 'true', e: 'false' });
    expect([read.id('a'), read.id('b', ['none']), read.id('z')]).toEqual([id, 'none', null]);
    expect([read.required('c', read.text('c', 6)), read.text('z', 1)]).toEqual(['a name', null]);
    expect([read.flag('d'), read.flag('e'), read.flag('z')]).toEqual([true, false, false]);
    expect(() => read.done()).not.toThrow();

    const wrong = new QueryReader({ a: 'none', b: 'nobody', c: 'a name', d: 'yes', e: '', f: 'a\0b' });
    wrong.id('a');
    wrong.id('b', ['none']);
    wrong.text('c', 5);
    wrong.flag('d');
    wrong.required('e', wrong.text('e', 5));
    wrong.text('f', 5);
    wrong.required('g', wrong.text('g', 5));
    expect(refusal(() => wrong.done()).fields.map((field) => `${field.field}:${field.rule}`)).toEqual([
      ...['a:id', 'b:id', 'c:length', 'd:enum', 'e:length', 'f:length', 'g:required'],
    ]);
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
