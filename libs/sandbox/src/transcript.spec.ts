import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { SecretMasker } from './masking/secret-masker.js';
import { decodeRuns, type TranscriptStream } from './transcript-streams.js';
import { TranscriptRecorder, type Transcript, type TranscriptPiece } from './transcript.js';

/** Bytes as commands write them: text of all widths, NULs, torn and invalid sequences. */
const output = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(
        Buffer.from([0]),
        Buffer.from([0xe2, 0x82]),
        Buffer.from([0xf0, 0x9f, 0x98]),
        Buffer.from([0xed, 0xa0, 0x80]),
      ),
    ),
    { maxLength: 30 },
  )
  .map((parts) => Buffer.concat(parts));

/** Sizes of the reads, used round and round. */
const readSizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });

async function record(
  bytes: Buffer,
  sizes: number[],
  maxBytes: number,
): Promise<{ transcript: Transcript; pieces: TranscriptPiece[] }> {
  const pieces: TranscriptPiece[] = [];
  const recorder = new TranscriptRecorder({ maxBytes, flushBytes: 7, onPiece: (piece) => void pieces.push(piece) });
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    await recorder.write('stdout', bytes.subarray(at, at + size));
    at += size;
  }
  return { transcript: await recorder.finish(), pieces };
}

const MARK = /\n\[\.\.\. ([\d,]+) bytes left out \.\.\.\]\n/;

describe('TranscriptRecorder', () => {
  it('gives the same transcript however the reads cut the output', async () => {
    await fc.assert(
      fc.asyncProperty(output, readSizes, fc.integer({ min: 0, max: 120 }), async (bytes, sizes, maxBytes) => {
        const cut = await record(bytes, sizes, maxBytes);
        const whole = await record(bytes, [Math.max(1, bytes.length)], maxBytes);
        expect(cut.transcript).toEqual(whole.transcript);
      }),
    );
  });

  it('hands out pieces that join to the stored transcript, each at its offset', async () => {
    await fc.assert(
      fc.asyncProperty(output, readSizes, fc.integer({ min: 0, max: 120 }), async (bytes, sizes, maxBytes) => {
        const { transcript, pieces } = await record(bytes, sizes, maxBytes);
        expect(Buffer.from(pieces.map((piece) => piece.text).join(''))).toEqual(transcript.content);
        let offset = 0;
        for (const piece of pieces) {
          expect(piece.offset).toBe(offset);
          offset += Buffer.byteLength(piece.text);
        }
      }),
    );
  });

  it('stores valid UTF-8 without NUL, no more than the cap and the mark, and counts what is missing', async () => {
    await fc.assert(
      fc.asyncProperty(output, readSizes, fc.integer({ min: 0, max: 120 }), async (bytes, sizes, maxBytes) => {
        const { transcript } = await record(bytes, sizes, maxBytes);
        const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(transcript.content);
        expect(text).not.toContain('\0');
        const clean = Buffer.from(bytes.toString('utf8').replaceAll('\0', '\uFFFD'));
        expect(transcript.bytes).toBe(clean.length);
        expect(transcript.truncated).toBe(clean.length !== 0 && !transcript.content.equals(clean));
        expect(transcript.storedBytes).toBe(transcript.content.length);
        expect(transcript.sha256).toBe(createHash('sha256').update(transcript.content).digest('hex'));
        if (!transcript.truncated) return;
        const mark = /[^]*(\n\[\.\.\. [\d,]+ bytes left out \.\.\.\]\n)/.exec(text)?.[1] ?? '';
        expect(transcript.storedBytes - mark.length).toBeLessThanOrEqual(maxBytes);
        expect(Number(MARK.exec(mark)?.[1]?.replaceAll(',', ''))).toBe(
          transcript.bytes - (transcript.storedBytes - mark.length),
        );
      }),
    );
  });

  it('keeps the first and the last half with a line between them', async () => {
    const { transcript } = await record(Buffer.from(`start${'x'.repeat(1_048_576)}final`), [4096], 10);
    expect(transcript.content.toString()).toBe('start\n[... 1,048,576 bytes left out ...]\nfinal');
    expect(transcript).toMatchObject({ bytes: 1_048_586, storedBytes: transcript.content.length, truncated: true });
  });

  it('never cuts a character in two at the edges of the gap', async () => {
    const { transcript } = await record(Buffer.from('€'.repeat(100)), [1], 10);
    expect(transcript.content.toString()).toBe('€\n[... 294 bytes left out ...]\n€');
  });

  it('joins a character whose bytes were read apart, though the other stream wrote in between', async () => {
    const recorder = new TranscriptRecorder({ maxBytes: 100 });
    const euro = Buffer.from('€');
    await recorder.write('stdout', euro.subarray(0, 1));
    await recorder.write('stderr', Buffer.from('e'));
    await recorder.write('stdout', euro.subarray(1));
    expect((await recorder.finish()).content.toString()).toBe('e€');
  });

  it('hands out a lone line without waiting for more', async () => {
    const piece = await new Promise<TranscriptPiece>((resolve) => {
      const recorder = new TranscriptRecorder({ maxBytes: 100, flushMs: 5, onPiece: resolve });
      void recorder.write('stdout', Buffer.from('alone\n'));
    });
    expect(piece).toEqual({ offset: 0, text: 'alone\n', runs: [{ stream: 'stdout', bytes: 6 }] });
  });

  it('holds the writer back while a piece is being taken, and hands out one at a time', async () => {
    let active = 0;
    let most = 0;
    let taken = 0;
    const recorder = new TranscriptRecorder({
      maxBytes: 1000,
      flushBytes: 1,
      onPiece: async () => {
        most = Math.max(most, (active += 1));
        await new Promise((resolve) => setImmediate(resolve));
        active -= 1;
        taken += 1;
      },
    });
    for (let turn = 1; turn <= 5; turn += 1) {
      await recorder.write('stdout', Buffer.from('x'));
      expect(taken).toBe(turn);
    }
    await recorder.finish();
    expect(most).toBe(1);
  });

  it('reports what the taker of the pieces threw', async () => {
    const recorder = new TranscriptRecorder({ maxBytes: 100, onPiece: () => Promise.reject(new Error('no room')) });
    await recorder.write('stdout', Buffer.from('x'));
    await expect(recorder.finish()).rejects.toThrow('no room');
  });

  it('keeps memory constant over a long output', async () => {
    const recorder = new TranscriptRecorder({ maxBytes: 64 * 1024, onPiece: () => undefined });
    const chunk = Buffer.alloc(64 * 1024, 'y');
    const before = process.memoryUsage.rss();
    for (let turn = 0; turn < 8_000; turn += 1) await recorder.write('stdout', chunk);
    const { bytes, storedBytes } = await recorder.finish();
    expect(bytes).toBe(8_000 * chunk.length);
    expect(storedBytes).toBeLessThan(65 * 1024);
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 1024 * 1024);
  });

  describe('with two streams', () => {
    type Write = [stream: 'stdout' | 'stderr', text: string];
    const recordAll = async (
      writes: Write[],
      options: { maxBytes?: number; flushBytes?: number; secrets?: string[] } = {},
    ) => {
      const pieces: TranscriptPiece[] = [];
      const recorder = new TranscriptRecorder({
        maxBytes: options.maxBytes ?? 10_000,
        flushMs: 60_000,
        flushBytes: options.flushBytes ?? 500,
        masker: new SecretMasker(options.secrets ?? []),
        onPiece: (piece) => void pieces.push(piece),
      });
      for (const [stream, text] of writes) await recorder.write(stream, Buffer.from(text));
      return { transcript: await recorder.finish(), pieces };
    };
    /** The transcript as its index cuts it. */
    const segments = ({ content, streams }: Transcript): [TranscriptStream, string][] => {
      let at = 0;
      return [...decodeRuns(streams?.toString() ?? `o${content.length}`)].map(({ stream, bytes }) => [
        stream,
        content.subarray(at, (at += bytes)).toString(),
      ]);
    };

    it('puts lines together in the order in which they ended, and never tears one into another', async () => {
      const { transcript } = await recordAll([
        ['stdout', 'one'],
        ['stderr', 'oops\nag'],
        ['stdout', ' two\nthree'],
        ['stderr', 'ain\n'],
        ['stdout', '\nfour'],
        ['stderr', 'end'],
      ]);
      expect(segments(transcript)).toEqual([
        ['stderr', 'oops\n'],
        ['stdout', 'one two\n'],
        ['stderr', 'again\n'],
        ['stdout', 'three\nfour'],
        ['stderr', 'end'],
      ]);
    });

    it('shows the beginning of a line that does not end', async () => {
      const shown: string[] = [];
      const done = new Promise<void>((resolve) => {
        const recorder = new TranscriptRecorder({
          maxBytes: 100,
          flushMs: 10,
          onPiece: ({ text, runs }) => {
            shown.push(`${runs.map((run) => run.stream).join()}:${text}`);
            if (shown.length === 2) resolve();
          },
        });
        void recorder.write('stderr', Buffer.from('Password: ')).then(async () => {
          await new Promise((next) => setTimeout(next, 50));
          await recorder.write('stdout', Buffer.from('ok\n'));
        });
      });
      await done;
      expect(shown).toEqual(['stderr:Password: ', 'stdout:ok\n']);
    });

    it('keeps, of each stream, exactly what it wrote, however the writes are cut; index and pieces say the same', async () => {
      const writes = fc.array(
        fc.tuple(
          fc.constantFrom('stdout' as const, 'stderr' as const),
          fc.string({ unit: fc.constantFrom('a', 'é', '😀', '\n') }),
        ),
        { maxLength: 30 },
      );
      await fc.assert(
        fc.asyncProperty(writes, fc.integer({ min: 1, max: 40 }), async (list, flushBytes) => {
          const { transcript, pieces } = await recordAll(list, { flushBytes });
          for (const stream of ['stdout', 'stderr'] as const) {
            const wrote = list.flatMap(([of, text]) => (of === stream ? [text] : [])).join('');
            const kept = segments(transcript).flatMap(([of, text]) => (of === stream ? [text] : []));
            expect(kept.join('')).toBe(wrote);
          }
          const live = pieces.flatMap(({ text, runs }) => {
            const bytes = Buffer.from(text);
            let at = 0;
            return runs.map((run) => [run.stream, bytes.subarray(at, (at += run.bytes)).toString()] as const);
          });
          expect(live.map(([, text]) => text).join('')).toBe(transcript.content.toString());
          const byByte = (parts: (readonly [string, string])[]) =>
            parts.flatMap(([of, text]) => [...Buffer.from(text)].map(() => of[3]));
          expect(byByte(live)).toEqual(byByte(segments(transcript)));
        }),
      );
    });

    it('knows who wrote what of a transcript that was cut', async () => {
      const writes = Array.from({ length: 100 }, (_, line): Write => [
        line % 2 === 0 ? 'stdout' : 'stderr',
        `${line}\n`,
      ]);
      const { transcript } = await recordAll(writes, { maxBytes: 12 });
      expect(segments(transcript)).toEqual([
        ['stdout', '0\n'],
        ['stderr', '1\n'],
        ['stdout', '2\n'],
        ['runner', '\n[... 278 bytes left out ...]\n'],
        ['stdout', '98\n'],
        ['stderr', '99\n'],
      ]);
    });

    it('has no index where there is only standard output', async () => {
      expect((await recordAll([['stdout', 'a\nb\n']])).transcript.streams).toBeNull();
      expect((await recordAll([])).transcript.streams).toBeNull();
      expect((await recordAll([['stderr', 'a\n']])).transcript.streams?.toString()).toBe('e2');
    });

    it('masks before it counts, cuts or hands out, each stream by itself', async () => {
      const { transcript, pieces } = await recordAll(
        [
          ['stdout', 'token corr'],
          ['stderr', 'token corr'],
          ['stdout', 'ect hor'],
          ['stderr', 'ect horse\n'],
          ['stdout', 'se\n'],
        ],
        { secrets: ['correct horse'] },
      );
      expect(segments(transcript)).toEqual([
        ['stderr', 'token ***\n'],
        ['stdout', 'token ***\n'],
      ]);
      expect(transcript.bytes).toBe(20);
      expect(pieces.map((piece) => piece.text).join('')).not.toContain('cor');
    });

    it('shows a line that ends like the beginning of a secret, without waiting for the next', async () => {
      const value = 'correct horse';
      const piece = await new Promise<TranscriptPiece>((resolve) => {
        const recorder = new TranscriptRecorder({
          maxBytes: 100,
          flushMs: 5,
          masker: new SecretMasker([value]),
          onPiece: resolve,
        });
        void recorder.write('stdout', Buffer.from(`${Buffer.from(value).toString('base64').slice(0, 2)}\n`));
      });
      expect(piece.text).toBe('Y2\n');
    });
  });
});
