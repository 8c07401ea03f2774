/** A restore into the data folder of a stopped server: unpacked, compared with its list, made ready, put in place. */
import { chownSync } from 'node:fs';
import { AppError } from '@backupx/contracts/errors';
import { counted } from '../../../ports/entry-content.ts';
import { findTool } from '../../../ports/find-tool.ts';
import { placeToKeep } from '../../../ports/place-to-keep.ts';
import { runTool } from '../../../ports/processes.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../../ports/source.ts';
import { isWanted } from '../../../ports/wanted-paths.ts';
import { startSettings } from './backup-notes.ts';
import { CopyEntries } from './copy-entries.ts';
import { ROOT } from './paths.ts';
import type { PhysicalConfig, PhysicalRestoreOptions } from './physical-settings.ts';
import { prepareCopy, settingsOfCopy } from './prepare-copy.ts';
import { assertUsable, giveTo, notesOfKept, type Owner, StagedData } from './staged-data.ts';

/** Opens it. Throws RESTORE_TARGET_INVALID, DATABASE_EXISTS, DATABASE_IN_USE before anything is read. */
export async function openDataRestore(config: PhysicalConfig, context: RestoreContext): Promise<RestoreSession> {
  const options = context.options as PhysicalRestoreOptions;
  const folder = options.dataFolder || config.dataFolder;
  if (folder === '') throw invalid('(none)', 'say which data folder the server will use');
  if (!isWanted(ROOT, context.paths)) {
    throw invalid(folder, 'the files of a server belong together: restore all of them, or single ones into a folder');
  }
  const owner = await ownerOf(options.owner, context.signal);
  const place = { folder, replaceExisting: options.replaceExisting };
  if (context.isDryRun) assertUsable(place);
  const staged = context.isDryRun ? null : StagedData.open(place);
  for (const note of notesOfKept(folder)) context.log('warn', note);
  if (!staged) return new DataPreview(folder, context);
  const toolFolder = options.toolFolder || config.toolFolder;
  const { replaceExisting, keepReplaced } = options;
  return new DataRestore({ staged, context, owner, toolFolder, replaceExisting, keepReplaced });
}

interface Parts {
  readonly staged: StagedData;
  readonly context: RestoreContext;
  /** Null: nobody was chosen. */
  readonly owner: Owner | null;
  readonly toolFolder: string;
  readonly replaceExisting: boolean;
  readonly keepReplaced: boolean;
}

class DataRestore implements RestoreSession {
  readonly #parts: Parts;
  readonly #entries = new CopyEntries();
  #files = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async write(entry: RestoreEntry): Promise<void> {
    const { staged, context } = this.#parts;
    await this.#entries.take(entry, async (path, content) => {
      await staged.write(
        path,
        counted(content, (bytes) => context.progress({ bytes })),
      );
      this.#files += 1;
      context.progress({ items: 1, currentItem: path });
    });
  }

  async commit(): Promise<RestoreOutcome> {
    const { staged, context, toolFolder } = this.#parts;
    assertSame(this.#entries);
    context.log('info', 'All files are there. Making them ready.');
    const tool = await prepareCopy(staged.stage, { toolFolder, signal: context.signal });
    context.log('info', `Made ready by ${tool.path}.`);
    if (context.signal.aborted) throw new AppError('CANCELLED');
    const owner = await this.#owner();
    if (owner) giveTo(staged.stage, owner);
    const { replaceExisting, keepReplaced } = this.#parts;
    const keepAs = keepReplaced ? placeToKeep(staged.folder) : null;
    const kept = staged.place({ folder: staged.folder, replaceExisting }, keepAs);
    if (kept) context.log('info', `What was there is kept in ${kept}; remove it when it is not needed any more.`);
    if (owner) chownSync(staged.folder, owner.uid, owner.gid);
    this.#guide();
    return { itemsWritten: this.#files, bytesWritten: this.#entries.bytes, itemsSkipped: 0 };
  }

  async rollback(): Promise<void> {
    this.#parts.staged.rollback();
  }

  /** Only root can give files away. */
  async #owner(): Promise<Owner | null> {
    const { owner, staged, context } = this.#parts;
    if (owner || process.getuid?.() !== 0) return owner;
    return staged.owner ?? (await findUser('mysql', context.signal));
  }

  #guide(): void {
    const { staged, context } = this.#parts;
    const { binlogFile, binlogPosition, gtid } = this.#entries.inventory?.details ?? {};
    context.log('info', `${staged.folder} is ready. Start the server: systemctl start mariadb (or mysql).`);
    context.log('info', 'Users and passwords are those of the backup.');
    for (const line of startNotes(staged.folder)) context.log('warn', line);
    if (binlogFile === undefined) return;
    context.log(
      'info',
      `For a later moment replay the binary log from ${binlogFile}, position ${binlogPosition}${gtid ? ` (GTID ${gtid})` : ''}: backupx binlog replay --config <parameter file> --from ${binlogFile}:${binlogPosition} --until <moment>`,
    );
  }
}

/** What a server with the usual settings, or with those of the original, would get wrong. */
function startNotes(folder: string): string[] {
  const { needed, undoFolder } = startSettings(settingsOfCopy(folder));
  const format = needed.map((line) => `The server needs this line in its option file: ${line}`);
  if (undoFolder === null) return format;
  const moved = `The undo logs lay in ${undoFolder} and are in ${folder} now: take innodb_undo_directory out of the server's option file.`;
  return [...format, moved];
}

/** Throws DATABASE_DUMP_DAMAGED for files that are not those of the backup. */
function assertSame(entries: CopyEntries): void {
  const [wrong, ...others] = entries.differences();
  if (wrong === undefined) return;
  const reason = others.length === 0 ? wrong : `${wrong}, and ${others.length} more`;
  throw new AppError('DATABASE_DUMP_DAMAGED', { name: 'the server', reason });
}

/** A restore that changes nothing: all files are read and compared. */
class DataPreview implements RestoreSession {
  readonly #folder: string;
  readonly #context: RestoreContext;
  readonly #entries = new CopyEntries();
  #files = 0;

  constructor(folder: string, context: RestoreContext) {
    this.#folder = folder;
    this.#context = context;
  }

  async write(entry: RestoreEntry): Promise<void> {
    await this.#entries.take(entry, async (path, content) => {
      for await (const chunk of content) this.#context.progress({ bytes: chunk.byteLength });
      this.#files += 1;
      this.#context.progress({ items: 1, currentItem: path });
    });
  }

  async commit(): Promise<RestoreOutcome> {
    assertSame(this.#entries);
    this.#context.log('info', `Would put ${this.#files} files into ${this.#folder} and make them ready.`);
    return { itemsWritten: this.#files, bytesWritten: this.#entries.bytes, itemsSkipped: 0 };
  }

  async rollback(): Promise<void> {
    // There is nothing to take back.
  }
}

/** Throws RESTORE_TARGET_INVALID for a user that is not there. */
async function ownerOf(name: string, signal: AbortSignal): Promise<Owner | null> {
  if (name === '') return null;
  const owner = await findUser(name, signal);
  if (!owner) throw invalid(name, 'there is no such user on this machine');
  return owner;
}

async function findUser(name: string, signal: AbortSignal): Promise<Owner | null> {
  const getent = findTool(['getent']);
  const answer = getent ? await runTool({ program: getent, args: ['passwd', '--', name] }, { signal }) : null;
  const [, , uid, gid] = answer?.text.trim().split(':') ?? [];
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : null;
}

const invalid = (path: string, reason: string): AppError => new AppError('RESTORE_TARGET_INVALID', { path, reason });
