/** The files of a folder as entries of a backup: what a restore into a folder wrote, handed to a source again. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { RestoreEntry } from '../../packages/engine/src/ports/source.ts';

const METADATA = {
  ...{
    type: 'file' as const,
    uid: 0,
    gid: 0,
    userName: '',
    groupName: '',
    mode: 0o600,
    modifiedAtNs: 0n,
    linkTarget: null,
  },
  ...{ deviceMajor: 0, deviceMinor: 0, xattrs: null, segments: null },
};
const PIECE_BYTES = 10_000;

/** In the order of their paths. `change`: damages a file. */
export function* entriesOfFolder(
  folder: string,
  change: (bytes: Buffer, file: string) => Buffer = (bytes) => bytes,
): Generator<RestoreEntry> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((item) => item.isFile());
  for (const file of files.map((item) => path.join(item.parentPath, item.name)).sort()) {
    const bytes = change(readFileSync(file), file);
    const content = (async function* () {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
    })();
    yield { ...METADATA, path: Buffer.from(file.slice(folder.length)), sizeBytes: bytes.length, content };
  }
}
