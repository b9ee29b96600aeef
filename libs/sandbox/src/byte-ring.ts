/** Keeps the last `capacity` bytes pushed. Memory is taken at the first push, and never more. */
export class ByteRing {
  private ring: Buffer | undefined;
  private end = 0;
  private filled = 0;

  constructor(private readonly capacity: number) {}

  push(bytes: Buffer): void {
    if (bytes.length === 0 || this.capacity === 0) return;
    this.ring ??= Buffer.alloc(this.capacity);
    const kept = bytes.subarray(Math.max(0, bytes.length - this.capacity));
    const first = kept.subarray(0, this.capacity - this.end);
    first.copy(this.ring, this.end);
    kept.copy(this.ring, 0, first.length);
    this.end = (this.end + kept.length) % this.capacity;
    this.filled = Math.min(this.capacity, this.filled + kept.length);
  }

  /** The bytes kept, oldest first. */
  contents(): Buffer {
    if (this.ring === undefined) return Buffer.alloc(0);
    if (this.filled < this.capacity) return this.ring.subarray(0, this.filled);
    return Buffer.concat([this.ring.subarray(this.end), this.ring.subarray(0, this.end)]);
  }
}
