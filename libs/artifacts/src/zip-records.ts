/**
 * The records of a ZIP archive (PKWARE's APPNOTE.TXT 6.3.10), every byte of them fixed: stored entries, names in UTF-8, one date, no
 * extra fields beyond those of ZIP64 and those only where a number does not fit.
 */
export interface ZipRecord {
  /** With slashes, relative. */
  name: Buffer;
  sizeBytes: number;
  crc32: number;
  /** Where its local header begins in the archive. */
  offset: number;
}

/** Bit 3: checksum and sizes follow the data. Bit 11: the name is UTF-8. */
const FLAGS = 0x0808;
const STORED = 0;
/** 1980-01-01 00:00:00, where DOS dates begin. */
const TIME = 0;
const DATE = (1 << 5) | 1;
const VERSION = 20;
const VERSION_ZIP64 = 45;
/** Unix, so that the attributes are a file mode. */
const MADE_BY = (3 << 8) | VERSION_ZIP64;
const MODE = 0o100644;
const MAX_16 = 0xffff;
const MAX_32 = 0xffff_ffff;
const ZIP64_EXTRA = 0x0001;

/** Whether sizes need 64 bits; the largest 32-bit number means "look elsewhere". */
const isLarge = (size: number): boolean => size >= MAX_32;

export function localHeader({ name, sizeBytes }: Pick<ZipRecord, 'name' | 'sizeBytes'>): Buffer {
  const large = isLarge(sizeBytes);
  const fixed = Buffer.alloc(30);
  fixed.writeUInt32LE(0x04034b50, 0);
  writeCommon(fixed, 4, large);
  fixed.writeUInt32LE(large ? MAX_32 : 0, 18);
  fixed.writeUInt32LE(large ? MAX_32 : 0, 22);
  fixed.writeUInt16LE(name.length, 26);
  // Its being there tells readers that the data descriptor has sizes of 8 bytes (4.3.9.2).
  const extra = large ? zip64Extra([0, 0]) : Buffer.alloc(0);
  fixed.writeUInt16LE(extra.length, 28);
  return Buffer.concat([fixed, name, extra]);
}

export function dataDescriptor({ sizeBytes, crc32 }: Pick<ZipRecord, 'sizeBytes' | 'crc32'>): Buffer {
  const large = isLarge(sizeBytes);
  const record = Buffer.alloc(large ? 24 : 16);
  record.writeUInt32LE(0x08074b50, 0);
  record.writeUInt32LE(crc32, 4);
  if (large) {
    record.writeBigUInt64LE(BigInt(sizeBytes), 8);
    record.writeBigUInt64LE(BigInt(sizeBytes), 16);
  } else {
    record.writeUInt32LE(sizeBytes, 8);
    record.writeUInt32LE(sizeBytes, 12);
  }
  return record;
}

export function centralHeader({ name, sizeBytes, crc32, offset }: ZipRecord): Buffer {
  const extra = zip64Extra([
    ...(isLarge(sizeBytes) ? [sizeBytes, sizeBytes] : []),
    ...(isLarge(offset) ? [offset] : []),
  ]);
  const fixed = Buffer.alloc(46);
  fixed.writeUInt32LE(0x02014b50, 0);
  fixed.writeUInt16LE(MADE_BY, 4);
  writeCommon(fixed, 6, extra.length > 0);
  fixed.writeUInt32LE(crc32, 16);
  fixed.writeUInt32LE(Math.min(sizeBytes, MAX_32), 20);
  fixed.writeUInt32LE(Math.min(sizeBytes, MAX_32), 24);
  fixed.writeUInt16LE(name.length, 28);
  fixed.writeUInt16LE(extra.length, 30);
  fixed.writeUInt32LE(MODE * 0x1_0000, 38);
  fixed.writeUInt32LE(Math.min(offset, MAX_32), 42);
  return Buffer.concat([fixed, name, extra]);
}

/** What ends an archive: where its central directory is. */
export function endRecords(directory: { entries: number; sizeBytes: number; offset: number }): Buffer {
  const { entries, sizeBytes, offset } = directory;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, MAX_16), 8);
  end.writeUInt16LE(Math.min(entries, MAX_16), 10);
  end.writeUInt32LE(Math.min(sizeBytes, MAX_32), 12);
  end.writeUInt32LE(Math.min(offset, MAX_32), 16);
  return entries >= MAX_16 || isLarge(sizeBytes) || isLarge(offset)
    ? Buffer.concat([zip64End(entries, sizeBytes, offset), end])
    : end;
}

function zip64End(entries: number, sizeBytes: number, offset: number): Buffer {
  const record = Buffer.alloc(56 + 20);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE(MADE_BY, 12);
  record.writeUInt16LE(VERSION_ZIP64, 14);
  record.writeBigUInt64LE(BigInt(entries), 24);
  record.writeBigUInt64LE(BigInt(entries), 32);
  record.writeBigUInt64LE(BigInt(sizeBytes), 40);
  record.writeBigUInt64LE(BigInt(offset), 48);
  record.writeUInt32LE(0x07064b50, 56);
  record.writeBigUInt64LE(BigInt(offset + sizeBytes), 64);
  record.writeUInt32LE(1, 72);
  return record;
}

/** Version needed, flags, method, time and date: the same in both headers. */
function writeCommon(record: Buffer, at: number, zip64: boolean): void {
  record.writeUInt16LE(zip64 ? VERSION_ZIP64 : VERSION, at);
  record.writeUInt16LE(FLAGS, at + 2);
  record.writeUInt16LE(STORED, at + 4);
  record.writeUInt16LE(TIME, at + 6);
  record.writeUInt16LE(DATE, at + 8);
}

function zip64Extra(numbers: number[]): Buffer {
  if (numbers.length === 0) return Buffer.alloc(0);
  const extra = Buffer.alloc(4 + 8 * numbers.length);
  extra.writeUInt16LE(ZIP64_EXTRA, 0);
  extra.writeUInt16LE(8 * numbers.length, 2);
  numbers.forEach((number, index) => extra.writeBigUInt64LE(BigInt(number), 4 + 8 * index));
  return extra;
}
