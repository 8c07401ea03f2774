/** Hands the files of a folder to a source's own verifier, as a verification hands it what is in a backup. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { VerifyCheck } from '@backupx/contracts/jobs';
import { expect } from 'vitest';
import type { SourceDriver } from '../../packages/engine/src/ports/source.ts';

export interface FolderToVerify {
  readonly folder: string;
  /** Of the task, as it is stored. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, unknown>>;
  readonly depth: 'quick' | 'deep';
  /** Must be empty afterwards. */
  readonly tempDir: string;
  /** Damages a file. */
  change?(bytes: Buffer, file: string): Buffer;
}

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

/** See above. */
export async function verifyFolder(source: SourceDriver, what: FolderToVerify): Promise<readonly VerifyCheck[]> {
  const { folder, depth, tempDir } = what;
  mkdirSync(tempDir, { recursive: true });
  const options = source.restoreConfig?.parse(what.options) ?? {};
  const context = { signal: new AbortController().signal, tempDir, depth, options, log() {} };
  const verifier = await source.openVerifier?.(source.config.parse(what.config), context);
  if (!verifier) throw new Error('no verifier');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((item) => item.isFile());
  const paths = files.map((file) => path.join(file.parentPath, file.name)).sort();
  try {
    for (const file of paths) {
      const read = readFileSync(file);
      const bytes = what.change?.(read, file) ?? read;
      const content = (async function* () {
        for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
      })();
      const entryPath = Buffer.from(file.slice(folder.length));
      await verifier.write({ ...METADATA, path: entryPath, sizeBytes: bytes.length, content });
    }
    return await verifier.finish();
  } finally {
    await verifier.close();
    expect(readdirSync(tempDir)).toEqual([]);
  }
}
