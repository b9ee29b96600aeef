import { OutputSequence } from './output-sequence.js';

const chunk = (offset: number, text: string, attempt = 1) => ({
  ...{ stepId: 's', stepKey: 'k', attempt, offset, text },
  stream: 'stdout' as const,
});

describe('OutputSequence', () => {
  it('lets every byte through once, whatever is repeated', () => {
    const sequence = new OutputSequence();
    const seen = [chunk(0, 'abc'), chunk(0, 'abc'), chunk(1, 'bcde'), chunk(2, 'cd'), chunk(5, 'f')].map(
      (each) => sequence.accept(each)?.text ?? '',
    );
    expect(seen.join('')).toBe('abcdef');
  });

  it('counts in UTF-8 bytes', () => {
    const sequence = new OutputSequence();
    expect(sequence.accept(chunk(0, 'ä€'))?.text).toBe('ä€');
    expect(sequence.accept(chunk(2, '€x'))).toMatchObject({ offset: 5, text: 'x' });
    expect(sequence.accept(chunk(0, 'ä€x'))).toBeNull();
  });

  it('keeps attempts and steps apart, and passes on what comes after a gap', () => {
    const sequence = new OutputSequence();
    expect(sequence.accept(chunk(0, 'one'))?.text).toBe('one');
    expect(sequence.accept(chunk(0, 'two', 2))?.text).toBe('two');
    expect(sequence.accept({ ...chunk(0, 'three'), stepId: 'other' })?.text).toBe('three');
    expect(sequence.accept(chunk(100, 'tail'))?.text).toBe('tail');
  });
});
