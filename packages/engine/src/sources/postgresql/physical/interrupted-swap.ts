/**
 * A restore that is killed while it puts files in place leaves a folder that is neither the old nor the new one. Before
 * its first move it writes down what it is about to move; the next restore into the folder takes that back, or, when all
 * was in place already, removes what was replaced.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { isMarkAlive, threadMark } from '../../../ports/process-mark.ts';
import { syncPath } from '../../../ports/sync-path.ts';
import { TABLESPACE_FOLDER } from './entry-paths.ts';
import { accessOf, giveTo, setAccess } from './folder-access.ts';

/** What was there before is in a folder of this name and a mark, in the folder itself. */
export const OLD = '.backupx-old-';
/** Without it no server starts, so it comes last and goes first. */
export const DECIDING = 'PG_VERSION';
/** In that folder, of the data directory. */
export const JOURNAL = '.backupx-journal.json';

const journalSchema = z.object({
  format: z.literal(1),
  /** The data directory first, then its tablespaces. */
  folders: z
    .array(
      z.object({
        ...{ target: z.string(), scratch: z.string(), old: z.string() },
        names: z.array(z.object({ name: z.string(), inode: z.string() })),
        /** Where what is replaced goes in the end; null: nowhere. */
        keepAs: z.string().nullable().default(null),
        /** Whose the folder was, and its mode; null: an older version wrote this. */
        access: z.object({ uid: z.number(), gid: z.number(), mode: z.number() }).nullable().default(null),
      }),
    )
    .min(1),
});
/**
 * One folder of a restore: what it is about to bring is in `scratch`, under `names`. What has such a name and another inode
 * somebody has put there since, and is never taken for ours.
 */
export type PlannedSwap = z.output<typeof journalSchema>['folders'][number];

/** To be called before the first move; survives a crash of the machine. Throws what the file system says. */
export function writeJournal(folders: readonly PlannedSwap[]): void {
  const [data] = folders;
  if (!data) return;
  mkdirSync(data.old, { mode: 0o700 });
  const handle = openSync(join(data.old, JOURNAL), 'wx', 0o600);
  try {
    const text = Buffer.from(JSON.stringify({ format: 1, folders }));
    for (let at = 0; at < text.byteLength; ) at += writeSync(handle, text, at);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  for (const folder of [data.old, data.target]) syncPath(folder);
}

export type Recovered = 'taken back' | 'finished';

/**
 * Settles what a killed restore left in a data directory; null: there is nothing. `note`: what was replaced, for people.
 * Throws what the file system says.
 */
export function settleInterrupted(dataFolder: string, note: (text: string) => void = () => {}): Recovered | null {
  let outcome: Recovered | null = null;
  for (const name of leftoversIn(dataFolder)) {
    const aside = join(dataFolder, name);
    const folders = readJournal(aside);
    const [data] = folders;
    if (!data) {
      removeEmpty(aside);
      continue;
    }
    // Of a folder that was moved or copied: what it names is elsewhere, and others may use it.
    if (!isSameFolder(data.old, aside)) continue;
    const found = outcomeOf(data);
    const isSettled = found === 'taken back' ? takeBack(folders) : found === 'finished' && finish(folders, note);
    if (isSettled) outcome = found ?? outcome;
  }
  return outcome;
}

/** The data directory is put in place last: when all of it is there, so are its tablespaces. Null: nobody can say. */
function outcomeOf({ target, scratch, names }: PlannedSwap): Recovered | null {
  const last = names.find(({ name }) => name === DECIDING);
  const isInPlace = last?.inode === inodeOf(join(target, DECIDING)) && !existsSync(join(scratch, DECIDING));
  // Also with an empty `scratch`: a server may have run on it since.
  if (last !== undefined && isInPlace) return 'finished';
  if (existsSync(scratch)) return 'taken back';
  // Somebody has removed what was written, perhaps before it was in place; what was moved aside is all there is then.
  return last === undefined ? 'finished' : null;
}

function isSameFolder(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => lstatSync(path, { bigint: true, throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** False when it cannot be done, which must not keep the next restore from its place: all that is new is there. */
function finish(folders: readonly PlannedSwap[], note: (text: string) => void): boolean {
  const away = folders.slice(1).find((folder) => isAway(folder, folders[0]?.target ?? ''));
  if (away) {
    const [data] = folders;
    note(
      `What an earlier restore replaced stays in ${data?.old} and ${away.old}: nothing is in ${away.target}, so its disk is not mounted. Mount it before you restore again, or remove the latter yourself when it is.`,
    );
    return false;
  }
  try {
    for (const path of leaveAside(folders)) note(wordsOfKept(path));
    return true;
  } catch (error) {
    note(`What an earlier restore replaced stays: ${(error as Error).message}`);
    return false;
  }
}

/**
 * A tablespace that the server still has and of which nothing is there: its disk is not mounted, and what was moved aside
 * is on it. Without the journal nobody would know of that any more.
 */
function isAway({ target, old, names }: PlannedSwap, dataFolder: string): boolean {
  if (existsSync(old) || names.some(({ name }) => existsSync(join(target, name)))) return false;
  return linksIn(join(dataFolder, TABLESPACE_FOLDER)).some((link) => leadsTo(link, target));
}

export const wordsOfKept = (path: string): string =>
  `What was there is kept in ${path}; remove it when it is not needed any more.`;

/**
 * All that is new is in place: what was moved aside goes where it is to be kept, or nowhere. The journal is in that of the
 * data directory, which goes last. Answers where it is kept. Idempotent; throws what the file system says.
 */
export function leaveAside(folders: readonly PlannedSwap[]): string[] {
  for (const folder of folders.toReversed()) {
    if (folder.keepAs === null) removeAside(folder.old);
    else if (existsSync(folder.old)) keepAside(folder, folder.keepAs, folders.slice(1));
  }
  return folders.flatMap(({ keepAs }) => (keepAs !== null && existsSync(keepAs) ? keepAs : []));
}

function keepAside({ target, old, access }: PlannedSwap, keepAs: string, tablespaces: readonly PlannedSwap[]): void {
  removeEmpty(old);
  if (!existsSync(old)) return;
  setAccess(old, access ?? { ...accessOf(target), mode: 0o700 });
  linkTablespaces(join(old, TABLESPACE_FOLDER), tablespaces);
  renameSync(old, keepAs);
  rmSync(join(keepAs, JOURNAL), { force: true });
  syncPath(dirname(keepAs));
}

/** Tablespaces that are kept have their places behind the links of what is kept. */
function linkTablespaces(folder: string, tablespaces: readonly PlannedSwap[]): void {
  for (const link of linksIn(folder)) {
    const kept = tablespaces.find(
      ({ target, keepAs }) => keepAs !== null && existsSync(keepAs) && leadsTo(link, target),
    );
    if (!kept?.keepAs) continue;
    rmSync(`${link}.backupx`, { force: true });
    symlinkSync(kept.keepAs, `${link}.backupx`);
    giveTo(`${link}.backupx`, lstatSync(link));
    renameSync(`${link}.backupx`, link);
  }
}

function linksIn(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^\d+$/.test(name)) : [];
  return names.map((name) => join(folder, name)).filter((path) => lstatSync(path).isSymbolicLink());
}

function leadsTo(link: string, folder: string): boolean {
  try {
    return readlinkSync(link) === folder || realpathSync(link) === realpathSync(folder);
  } catch {
    return false;
  }
}

/** Removes what was moved aside; the journal stays until nothing else is left. Idempotent. */
function removeAside(old: string): void {
  for (const name of existsSync(old) ? readdirSync(old) : []) {
    if (name !== JOURNAL) rmSync(join(old, name), { recursive: true, force: true });
  }
  rmSync(old, { recursive: true, force: true });
}

/** One in which nothing is, for instance since its journal has not come to be. */
export function removeEmpty(old: string): void {
  if (readdirSync(old).every((name) => name === JOURNAL)) rmSync(old, { recursive: true });
}

const markOf = (name: string): string => name.slice(OLD.length).replace(/-[^-]*$/, '');

/** Names of what dead restores moved aside. */
export function leftoversIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => name.startsWith(OLD) && !isMarkAlive(markOf(name)));
}

/** What another restore moves aside, at this very moment. */
export const isOfAnother = (name: string): boolean =>
  name.startsWith(OLD) && markOf(name) !== threadMark && isMarkAlive(markOf(name));

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
 * may be killed at any point and begun again. Nothing is deleted before the journal. False when the target may hold what
 * is not of before: then at least what decides stays aside.
 */
function takeBack(folders: readonly PlannedSwap[]): boolean {
  if (folders.some(isLost)) return false;
  // The data directory goes first and comes last: no server may start with tablespaces of another time.
  let isWhole = folders.map(withdraw).every(Boolean);
  for (const folder of folders.toReversed()) isWhole = putBack(folder, isWhole);
  for (const { scratch, old } of folders) {
    rmSync(join(old, JOURNAL), { force: true });
    rmSync(scratch, { recursive: true, force: true });
    if (existsSync(old) && readdirSync(old).length === 0) rmdirSync(old);
  }
  return isWhole;
}

/** Nothing of it is there; it may be on a disk that is not mounted, and new, so nothing old may come beside it. */
function isLost({ target, scratch, names }: PlannedSwap): boolean {
  if (names.length === 0 || existsSync(scratch)) return false;
  return names.every(({ name }) => inodeOf(join(target, name)) === null);
}

/** To sort names by: what decides comes last. */
export const rank = (name: string): number => (name === DECIDING ? 1 : 0);

/** Null: there is nothing. */
export function inodeOf(path: string): string | null {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino.toString() ?? null;
}

/**
 * False when something in the target may be new although nothing proves it: one that is not back in `scratch`, as after a
 * copy by file.
 */
function withdraw({ target, scratch, names }: PlannedSwap): boolean {
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  const decidingFirst = names.toSorted((a, b) => rank(b.name) - rank(a.name));
  for (const { name, inode } of decidingFirst) {
    const isNew = !existsSync(join(scratch, name)) && inodeOf(join(target, name)) === inode;
    if (isNew) renameSync(join(target, name), join(scratch, name));
  }
  return names.every(({ name }) => existsSync(join(scratch, name)) || inodeOf(join(target, name)) === null);
}

/** Answers whether all is back, in this folder and (`isWhole`) those before it: no server may start on a mixture. */
function putBack({ target, old, access }: PlannedSwap, isWhole: boolean): boolean {
  let isBack = isWhole;
  // What is put in place gives its folder another owner.
  if (access !== null) setAccess(target, access);
  const aside = existsSync(old) ? readdirSync(old).sort((a, b) => rank(a) - rank(b)) : [];
  for (const name of aside.filter((one) => one !== JOURNAL)) {
    // What somebody has put there since is his; that of before stays aside.
    const isFree = inodeOf(join(target, name)) === null && (isBack || name !== DECIDING);
    if (isFree) renameSync(join(old, name), join(target, name));
    else isBack = false;
  }
  syncPath(target);
  return isBack;
}
