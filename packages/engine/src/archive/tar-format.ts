/**
 * The tar format as numbers: POSIX.1-2017 pax interchange (ustar header plus `x`/`g` records) and the GNU additions.
 * Sources: POSIX "pax", GNU tar manual "Basic Tar Format" and "Storing Sparse Files". All offsets in bytes.
 */
export const RECORD_BYTES = 512;

/** Where a field starts and how many bytes it has. */
export interface Field {
  readonly at: number;
  readonly size: number;
}

export const FIELDS = {
  name: { at: 0, size: 100 },
  mode: { at: 100, size: 8 },
  uid: { at: 108, size: 8 },
  gid: { at: 116, size: 8 },
  size: { at: 124, size: 12 },
  mtime: { at: 136, size: 12 },
  checksum: { at: 148, size: 8 },
  type: { at: 156, size: 1 },
  linkName: { at: 157, size: 100 },
  magic: { at: 257, size: 8 },
  userName: { at: 265, size: 32 },
  groupName: { at: 297, size: 32 },
  deviceMajor: { at: 329, size: 8 },
  deviceMinor: { at: 337, size: 8 },
  prefix: { at: 345, size: 155 },
} as const satisfies Record<string, Field>;

/** Old GNU sparse header: four (offset, length) pairs, a flag for more, the real size. */
export const GNU_SPARSE = { pairsAt: 386, pairs: 4, moreAt: 482, realSizeAt: 483 } as const;
/** Its extension records: 21 pairs and the flag. */
export const GNU_SPARSE_EXTENSION = { pairs: 21, moreAt: 504 } as const;

export const TYPE_FLAGS = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char_device: '3',
  block_device: '4',
  directory: '5',
  fifo: '6',
  contiguous: '7',
  pax: 'x',
  paxGlobal: 'g',
  gnuLongName: 'L',
  gnuLongLink: 'K',
  gnuSparse: 'S',
  gnuDumpDirectory: 'D',
  gnuVolume: 'V',
  gnuContinued: 'M',
  solarisPax: 'X',
} as const;

/** Largest numbers a ustar header holds in octal. */
export const MAX_OCTAL_7 = 0o7777777;
export const MAX_OCTAL_11 = 0o77777777777;

export const XATTR_PREFIX = 'SCHILY.xattr.';

/** Bytes that fill a record up. */
export function paddingOf(sizeBytes: number): number {
  const over = sizeBytes % RECORD_BYTES;
  return over === 0 ? 0 : RECORD_BYTES - over;
}
