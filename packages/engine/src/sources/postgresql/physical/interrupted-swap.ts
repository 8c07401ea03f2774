/**
 * A restore that is killed while it puts files in place leaves a folder that is neither the old nor the new one. Before
 * its first move it writes down what it is about to move; the next restore into the folder takes that back, or, when all
 * was in place already, removes what was replaced.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isMarkAlive } from '../../../ports/process-mark.ts';

/** What was there before is in a folder of this name and a mark, in the folder itself. */
export const OLD = '.backupx-old-';
/** In that folder, of the data directory. */
export const JOURNAL = '.backupx-journal.json';

const journalSchema = z.object({
  format: z.literal(1),
  /** The data directory first, then its tablespaces. */
  folders: z
    .array(z.object({ target: z.string(), scratch: z.string(), old: z.string(), names: z.array(z.string()) }))
    .min(1),
});
/** One folder of a restore: what it is about to bring is in `scratch`, under `names`. */
export type PlannedSwap = z.output<typeof journalSchema>['folders'][number];

/** To be called before the first move; survives a crash of the machine. Throws what the file system says. */
export function writeJournal(folders: readonly PlannedSwap[]): void {
  const [data] = folders;
  if (!data) return;
  mkdirSync(data.old, { mode: 0o700 });
  const handle = openSync(join(data.old, JOURNAL), 'wx', 0o600);
  try {
    writeSync(handle, JSON.stringify({ format: 1, folders }));
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  for (const folder of [data.old, data.target]) syncFolder(folder);
}

export type Recovered = 'taken back' | 'finished';

/** Settles what a killed restore left in a data directory; null: there is nothing. Throws what the file system says. */
export function settleInterrupted(dataFolder: string): Recovered | null {
  let outcome: Recovered | null = null;
  for (const name of leftoversIn(dataFolder)) {
    const aside = join(dataFolder, name);
    const folders = readJournal(aside);
    const [data] = folders;
    if (!data) {
      removeEmpty(aside);
      continue;
    }
    // The data directory is put in place last: when all of it is there, so are its tablespaces.
    outcome = existsSync(data.scratch) ? 'taken back' : 'finished';
    if (outcome === 'taken back') takeBack(folders);
    // The journal is in that of the data directory, so it goes last.
    else for (const { old } of folders.toReversed()) removeAside(old);
  }
  return outcome;
}

/** Removes what was moved aside; the journal stays until nothing else is left. Idempotent. */
export function removeAside(old: string): void {
  for (const name of existsSync(old) ? readdirSync(old) : []) {
    if (name !== JOURNAL) rmSync(join(old, name), { recursive: true, force: true });
  }
  rmSync(old, { recursive: true, force: true });
}

/** One in which nothing is, for instance since its journal has not come to be. */
export function removeEmpty(old: string): void {
  if (readdirSync(old).every((name) => name === JOURNAL)) rmSync(old, { recursive: true });
}

/** Names of what dead restores moved aside. */
export function leftoversIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter(
    (name) => name.startsWith(OLD) && !isMarkAlive(name.slice(OLD.length).replace(/-[^-]*$/, '')),
  );
}

/** Empty for one that was cut off: then nothing has been moved yet. */
function readJournal(old: string): readonly PlannedSwap[] {
  try {
    return journalSchema.parse(JSON.parse(readFileSync(join(old, JOURNAL), 'utf8'))).folders;
  } catch {
    return [];
  }
}

/**
 * While the journal is there each of its names is in one place only, in `scratch` or as a new one in the target, so this
 * may be killed at any point and begun again. Nothing is deleted before the journal.
 */
function takeBack(folders: readonly PlannedSwap[]): void {
  for (const folder of folders) takeNamesBack(folder);
  for (const { scratch, old } of folders) {
    rmSync(join(old, JOURNAL), { force: true });
    rmSync(scratch, { recursive: true, force: true });
    if (existsSync(old)) rmdirSync(old);
  }
}

function takeNamesBack({ target, scratch, old, names }: PlannedSwap): void {
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  for (const name of names) {
    const isNew = !existsSync(join(scratch, name)) && existsSync(join(target, name));
    if (isNew) renameSync(join(target, name), join(scratch, name));
  }
  for (const name of existsSync(old) ? readdirSync(old) : []) {
    if (name !== JOURNAL) renameSync(join(old, name), join(target, name));
  }
  syncFolder(target);
}

function syncFolder(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
