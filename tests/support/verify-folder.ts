/** Hands the files of a folder to a source's own verifier, as a verification hands it what is in a backup. */
import { mkdirSync, readdirSync } from 'node:fs';
import type { VerifyCheck } from '@backupx/contracts/jobs';
import { expect } from 'vitest';
import type { SourceDriver } from '../../packages/engine/src/ports/source.ts';
import { entriesOfFolder } from './folder-entries.ts';

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

/** See above. */
export async function verifyFolder(source: SourceDriver, what: FolderToVerify): Promise<readonly VerifyCheck[]> {
  const { folder, depth, tempDir } = what;
  mkdirSync(tempDir, { recursive: true });
  const options = source.restoreConfig?.parse(what.options) ?? {};
  const context = { signal: new AbortController().signal, tempDir, depth, options, log() {} };
  const verifier = await source.openVerifier?.(source.config.parse(what.config), context);
  if (!verifier) throw new Error('no verifier');
  try {
    for (const entry of entriesOfFolder(folder, what.change)) await verifier.write(entry);
    return await verifier.finish();
  } finally {
    await verifier.close();
    expect(readdirSync(tempDir)).toEqual([]);
  }
}
