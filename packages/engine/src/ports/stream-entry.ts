/** Entries of sources that are no file system: their items have no owner, and are for the eyes of their owner alone. */
import type { SourceEntry } from './source.ts';

const NS_PER_MS = 1_000_000n;

export interface StreamEntryOptions {
  /** Absolute. */
  readonly path: string;
  readonly modifiedAt: Date;
}

const common = ({ path, modifiedAt }: StreamEntryOptions) => ({
  path: Buffer.from(path, 'utf8'),
  uid: 0,
  gid: 0,
  userName: '',
  groupName: '',
  modifiedAtNs: BigInt(modifiedAt.getTime()) * NS_PER_MS,
  linkTarget: null,
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: null,
});

/** A file whose content streams. `sizeBytes` left out: its size is not known beforehand. */
export function streamEntry(
  options: StreamEntryOptions & { readonly stream: AsyncIterable<Uint8Array>; readonly sizeBytes?: number },
): SourceEntry {
  const content = { kind: 'stream' as const, sizeBytes: options.sizeBytes ?? null, stream: options.stream };
  return { ...common(options), type: 'file', mode: 0o600, content };
}

/** A small file whose content is there. */
export function textEntry(options: StreamEntryOptions & { readonly text: string }): SourceEntry {
  const bytes = Buffer.from(options.text, 'utf8');
  async function* stream() {
    yield bytes;
  }
  const content = { kind: 'stream' as const, sizeBytes: bytes.byteLength, stream: stream() };
  return { ...common(options), type: 'file', mode: 0o600, content };
}

export function folderEntry(options: StreamEntryOptions): SourceEntry {
  return { ...common(options), type: 'directory', mode: 0o700, content: null };
}
