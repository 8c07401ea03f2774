/** Hands the files of a folder to a source's own restore; answers what it logged. */
import { mkdirSync } from 'node:fs';
import type { RestoreContext, SourceDriver } from '../../packages/engine/src/ports/source.ts';
import { entriesOfFolder } from './folder-entries.ts';

export interface FolderToRestore {
  readonly folder: string;
  /** Of the task, as it is stored. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, unknown>>;
  readonly tempDir: string;
  readonly isDryRun: boolean;
  change(bytes: Buffer, file: string): Buffer;
}

/** See above. Throws what the restore throws. */
export async function restoreFolder(source: SourceDriver, what: FolderToRestore): Promise<string[]> {
  const { folder, tempDir, isDryRun } = what;
  mkdirSync(tempDir, { recursive: true });
  const logged: string[] = [];
  const context: RestoreContext = {
    ...{ signal: new AbortController().signal, targetPath: null, paths: null, overwrite: 'always', tempDir, isDryRun },
    options: source.restoreConfig?.parse(what.options) ?? {},
    problem: ({ message }) => void logged.push(message),
    log: (_, message) => void logged.push(message),
    progress() {},
  };
  const session = await source.restore(source.config.parse(what.config), context);
  try {
    for (const entry of entriesOfFolder(folder, what.change)) await session.write(entry);
    await session.commit();
    return logged;
  } catch (error) {
    await session.rollback();
    throw error;
  }
}
