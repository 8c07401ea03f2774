/** A physical backup: every file of the server as an entry of its own, compared with the server's list of them. */
import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../../ports/clock.ts';
import { formatInventory } from '../../../ports/database-inventory.ts';
import { readText } from '../../../ports/entry-content.ts';
import type { BackupContext, SourceEntry } from '../../../ports/source.ts';
import { folderEntry, textEntry } from '../../../ports/stream-entry.ts';
import { listDatabases } from '../database-list.ts';
import { encryptionWarning } from '../encryption-warning.ts';
import { PsqlSession } from '../psql-session.ts';
import { Server } from '../server.ts';
import { type BackupManifest, findDamage, listDifferences, parseManifest } from './backup-manifest.ts';
import { type BaseBackupParts, PROGRAM, programsForBackup, stagedBaseBackup, streamBaseBackup } from './base-backup.ts';
import { assertReady, type ClusterFacts, readAlarms, readClusterFacts } from './cluster-facts.ts';
import { inBoth, listRelations, physicalInventory } from './cluster-inventory.ts';
import { readConfigFiles } from './config-files.ts';
import {
  artifactPathOf,
  CONFIG,
  DATA,
  INVENTORY,
  MANIFEST,
  ROOT,
  TABLESPACES,
  WAL,
  WAL_FOLDER,
} from './entry-paths.ts';
import { FileSums } from './file-sums.ts';
import type { PhysicalConfig } from './settings.ts';
import { TarError, type TarMember } from './tar-members.ts';

const NS_PER_MS = 1_000_000n;
/** Beside the data: WAL that is written meanwhile. */
const SPARE_BYTES = 64 * 1024 * 1024;
const ARCHIVE_STATUS = `${WAL_FOLDER}/archive_status`;
const NOW = `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`;

/** What a run knows. */
interface Run {
  readonly server: Server;
  readonly session: PsqlSession;
  readonly config: PhysicalConfig;
  readonly context: BackupContext;
  readonly facts: ClusterFacts;
  readonly sums: FileSums;
  readonly damagedPages: string[];
  readonly modifiedAt: Date;
}

/** Yields the entries. Throws DATABASE_*; a backup that lacks anything of the server's list fails. */
export async function* readCluster(config: PhysicalConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  const server = await Server.open(config, context.tempDir, context.signal);
  try {
    const session = await PsqlSession.open(server, config.maintenanceDatabase, context.signal);
    try {
      const facts = await readClusterFacts(session);
      const [sums, modifiedAt] = [new FileSums(), systemClock.now()];
      yield* readServer({ server, session, config, context, facts, sums, damagedPages: [], modifiedAt });
    } finally {
      await session.close();
    }
  } finally {
    server.close();
  }
}

async function* readServer(run: Run): AsyncGenerator<SourceEntry> {
  const { server, session, config, context, facts, modifiedAt } = run;
  const programs = programsForBackup(server.installed, session.facts);
  assertReady(facts, { session, server: server.label, user: config.dbUser });
  const { version } = session.facts;
  context.log('info', `PostgreSQL ${version}, read by ${PROGRAM} ${programs.version} (${programs.folder}).`);
  await tellState(run);
  await holdWal(session, context);
  const before = await listRelations(server, session, context.signal);
  const startedAt = await askTime(session);
  const parts: BaseBackupParts = {
    ...{ server, programs, config, context, session },
    onPageDamage: (warnings) => run.damagedPages.push(...warnings),
  };
  yield folderEntry({ path: ROOT, modifiedAt });
  const members = await openMembers(run, parts);
  let manifest: BackupManifest | null = null;
  try {
    for await (const entry of entriesOf(members, run, (whole) => {
      manifest = whole;
    }))
      yield entry;
  } catch (error) {
    throw damaged(error);
  }
  if (!manifest) throw incomplete(`there is no ${MANIFEST} in it`);
  reportPageDamage(run);
  const endedAt = await askTime(session);
  const objects = inBoth(before, await listRelations(server, session, context.signal));
  const { dataFolder, files } = yield* readConfig(run);
  const { maintenanceDatabase } = config;
  const inventory = physicalInventory({
    ...{ serverVersion: version, toolVersion: programs.version, facts, manifest, sums: run.sums, objects },
    ...{ startedAt, endedAt, damagedPages: run.damagedPages, dataFolder, maintenanceDatabase },
  });
  yield textEntry({ path: `${ROOT}/${INVENTORY}`, modifiedAt, text: formatInventory(inventory) });
  const { startLsn, endLsn } = inventory.details;
  const megabytes = Math.round(run.sums.totalBytes / 1e6);
  context.log('info', `${run.sums.count} files, ${megabytes} MB, from ${startLsn} to ${endLsn}; ${files} outside.`);
}

/** Warnings that a backup does not depend on, and alarms, which make it a warning so that somebody hears of them. */
async function tellState({ server, session, facts, context }: Run): Promise<void> {
  const warning = encryptionWarning(server, session);
  if (warning !== null) context.log('warn', warning);
  const { alarms, remarks } = await readAlarms(session, facts);
  for (const remark of remarks) context.log('warn', remark);
  for (const message of alarms) context.problem({ path: server.label, code: 'inconsistent', message });
}

/** The server must still have the WAL of the whole backup when that is sent, at its end. Gone with the session. */
async function holdWal(session: PsqlSession, context: BackupContext): Promise<void> {
  const name = `backupx_${randomBytes(6).toString('hex')}`;
  const free = `SELECT current_setting('max_replication_slots')::int > (SELECT count(*) FROM pg_replication_slots) AS free`;
  const [row] = await session.query<{ free: boolean }>(free);
  if (row?.free) await session.run(`SELECT pg_create_physical_replication_slot('${name}', true, true) \\g /dev/null`);
  else
    context.log(
      'warn',
      'No replication slot is free (max_replication_slots); without one the server may drop WAL that the backup needs, and then it fails.',
    );
}

async function askTime(session: PsqlSession): Promise<string> {
  const [row] = await session.query<{ now: string }>(NOW);
  return row?.now ?? '';
}

async function openMembers(run: Run, parts: BaseBackupParts): Promise<AsyncGenerator<TarMember>> {
  const { facts, session, context } = run;
  if (facts.tablespaces === 0) return streamBaseBackup(parts);
  const databases = await listDatabases(session);
  const size = databases.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), SPARE_BYTES);
  context.log('info', `${facts.tablespaces} tablespace(s): the backup passes through the folder for temporary files.`);
  return stagedBaseBackup(parts, size);
}

async function* entriesOf(
  members: AsyncGenerator<TarMember>,
  run: Run,
  onManifest: (manifest: BackupManifest) => void,
): AsyncGenerator<SourceEntry> {
  const { context, sums, modifiedAt } = run;
  const opened = new Set<string>();
  for await (const member of members) {
    const { path } = member;
    // The restore makes them anew.
    const isMark = path.startsWith(`${ARCHIVE_STATUS}/`);
    if (isMark || (member.type === 'directory' && path.startsWith(`${WAL_FOLDER}/`))) continue;
    if (member.type === 'symlink') {
      const message = 'a link in the data directory is not saved';
      context.problem({ path: artifactPathOf(path), code: 'unsupported', message });
      continue;
    }
    const place = artifactPathOf(path);
    for (const folder of foldersAbove(place)) {
      if (!opened.has(folder)) yield folderEntry({ path: folder, modifiedAt });
      opened.add(folder);
    }
    if (path === MANIFEST) {
      const text = await readText(member.content);
      onManifest(checkedManifest(text, sums));
      yield { ...textEntry({ path: place, modifiedAt: member.modifiedAt, text }), mode: 0o600 };
      continue;
    }
    yield entryOf(member, place, sums);
  }
}

/** What breaks off within a file is found by whoever reads that file. */
async function* whole(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (error) {
    throw damaged(error);
  }
}

function damaged(error: unknown): unknown {
  return error instanceof TarError ? incomplete(`the archive of ${PROGRAM} is damaged: ${error.message}`) : error;
}

/** Those that the server does not send itself. */
function foldersAbove(place: string): string[] {
  const [top = '', name = ''] = place.split('/').slice(2);
  if (![DATA, WAL, TABLESPACES].includes(top)) return [];
  return top === TABLESPACES ? [`${ROOT}/${top}`, `${ROOT}/${top}/${name}`] : [`${ROOT}/${top}`];
}

function entryOf(member: TarMember, place: string, sums: FileSums): SourceEntry {
  const { type, mode, uid, gid, userName, groupName, sizeBytes, modifiedAt } = member;
  const stream = type === 'file' ? sums.taking(member.path, whole(member.content)) : null;
  return {
    ...{ path: Buffer.from(place, 'latin1'), type, mode, uid, gid, userName, groupName },
    modifiedAtNs: BigInt(modifiedAt.getTime()) * NS_PER_MS,
    ...{ linkTarget: null, deviceMajor: 0, deviceMinor: 0, xattrs: null },
    content: stream && { kind: 'stream', sizeBytes, stream },
  };
}

/** The manifest is the last that comes, so everything it lists must have passed. Throws DATABASE_DUMP_INCOMPLETE. */
function checkedManifest(text: string, sums: FileSums): BackupManifest {
  let manifest: BackupManifest;
  try {
    manifest = parseManifest(text);
  } catch (error) {
    throw incomplete((error as Error).message);
  }
  const damage = findDamage(manifest, sums);
  if (damage.length > 0) throw incomplete(listDifferences(damage));
  return manifest;
}

function incomplete(reason: string): AppError {
  return new AppError('DATABASE_DUMP_INCOMPLETE', { name: 'the server', reason });
}

/** The copy is as good as the original, and nobody else may have noticed. */
function reportPageDamage({ damagedPages, context }: Run): void {
  for (const message of damagedPages) {
    context.problem({ path: `${ROOT}/${DATA}`, code: 'inconsistent', message: `damaged on the server: ${message}` });
  }
}

async function* readConfig(run: Run): AsyncGenerator<SourceEntry, { dataFolder: string | null; files: number }> {
  const { session, sums, context, modifiedAt } = run;
  const { dataFolder, files, unread } = await readConfigFiles(session);
  if (unread.length > 0)
    context.log('warn', `Not in the backup, since the user may not read them: ${unread.join(', ')}.`);
  if (files.length > 0) yield folderEntry({ path: `${ROOT}/${CONFIG}`, modifiedAt });
  for (const { name, text } of files) {
    async function* bytes() {
      yield Buffer.from(text, 'utf8');
    }
    const path = `${CONFIG}/${name}`;
    for await (const _ of sums.taking(path, bytes()));
    yield textEntry({ path: `${ROOT}/${path}`, modifiedAt, text });
  }
  return { dataFolder, files: files.length };
}
