/**
 * Runs pg_basebackup and takes what it brings apart. Without further tablespaces the whole server comes as one archive
 * that streams; with them pg_basebackup makes an archive for each, in the folder for temporary files.
 */
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { findTool } from '../../../ports/find-tool.ts';
import { outputOf, startTool, type ToolEnd } from '../../../ports/processes.ts';
import type { BackupContext } from '../../../ports/source.ts';
import { reportWarnings, type WarningStyle } from '../../../ports/tool-warnings.ts';
import { failureOf } from '../failures.ts';
import type { Programs } from '../programs.ts';
import type { PsqlSession } from '../psql-session.ts';
import type { Server } from '../server.ts';
import { ServerWatch } from '../server-watch.ts';
import { lookForSpace } from '../staging-space.ts';
import { DATA, MANIFEST, ROOT, TABLESPACE_FOLDER } from './entry-paths.ts';
import type { PhysicalConfig } from './settings.ts';
import { type TarMember, tarMembers } from './tar-members.ts';

export const PROGRAM = 'pg_basebackup';
const READ_BYTES = 1024 * 1024;

export interface BaseBackupParts {
  readonly server: Server;
  readonly programs: Programs;
  readonly config: PhysicalConfig;
  readonly context: BackupContext;
  /** An open one that nobody else uses meanwhile. */
  readonly session: PsqlSession;
  /** Pages of the server whose checksum is wrong, in its words. The backup is as whole as the server. */
  onPageDamage(warnings: readonly string[]): void;
}

/** The programs of exactly the server's version: others refuse, or make what its tools cannot prove. */
export function programsForBackup(
  installed: readonly Programs[],
  { major, version: serverVersion }: { readonly major: number; readonly version: string },
): Programs {
  const found = installed.find((item) => item.major === major && hasProgram(item.folder));
  if (found) return found;
  const others = installed.filter(({ folder }) => hasProgram(folder));
  const packageName = `postgresql-client-${major}`;
  // The other programs of that version may be there without it.
  if (others.length === 0 || installed.some((item) => item.major === major)) {
    throw new AppError('DATABASE_TOOL_MISSING', { tool: PROGRAM, package: packageName });
  }
  const toolVersion = (others.find((item) => item.major > major) ?? others.at(-1))?.version ?? '';
  throw new AppError('DATABASE_TOOL_MISMATCH', { tool: PROGRAM, toolVersion, serverVersion, package: packageName });
}

const hasProgram = (folder: string): boolean => findTool([PROGRAM], [folder]) === join(folder, PROGRAM);

/** The members of the archive, those of tablespaces below `pg_tblspc/<oid>`, the manifest last. Throws DATABASE_*. */
export async function* streamBaseBackup(parts: BaseBackupParts): AsyncGenerator<TarMember> {
  const { context } = parts;
  const { tool, output, watch } = run(parts, ['--pgdata=-']);
  try {
    yield* tarMembers(output);
  } finally {
    await watch.stop();
  }
  reportWarnings((await tool.ended).messages, { path: `${ROOT}/${DATA}`, context, style: WARNINGS });
}

/** Runs it; `watch` is to be stopped in every case. */
function run(parts: BaseBackupParts, args: readonly string[]) {
  const { server, programs, context, session } = parts;
  const watch = new ServerWatch(session, context.signal);
  const tool = startTool(server.command(programs, PROGRAM, [...argumentsFor(parts), ...args]), watch.signal);
  tool.endInput();
  const failure = (end: ToolEnd) => watch.failure ?? new BackupEnd(end);
  return { tool, watch, output: judged(outputOf(tool, { signal: context.signal, failure }), parts) };
}

/** How pg_basebackup ended when it did not end well. */
class BackupEnd extends Error {
  readonly end: ToolEnd;

  constructor(end: ToolEnd) {
    super(end.messages);
    this.end = end;
  }
}

/** Wrong checksums of pages are found at the very end: everything has come by then. */
async function* judged(output: AsyncIterable<Uint8Array>, parts: BaseBackupParts): AsyncGenerator<Uint8Array> {
  try {
    yield* output;
  } catch (error) {
    if (!(error instanceof BackupEnd)) throw error;
    judgeEnd(error.end, parts);
  }
}

/** Throws what a failure means, and reports page damage. */
function judgeEnd(end: ToolEnd, { server, config, onPageDamage }: BaseBackupParts): void {
  const damaged = linesOf(end.messages).filter((line) => line.includes('checksum verification failed'));
  if (end.signal !== null || !end.messages.includes('checksum error occurred')) {
    throw failureOf(end, server.place(PROGRAM, config.maintenanceDatabase));
  }
  onPageDamage(damaged);
}

/** The server's own are among them; pages with wrong checksums have their own way. */
const WARNINGS: WarningStyle = {
  line: /^(?:pg_basebackup: )?warning:\s+(?!.*checksum verification fail)(.*)/i,
  isRemark: () => false,
};

const linesOf = (messages: string): string[] => messages.split('\n').map((line) => line.trim());

/** Without where it goes. */
export function argumentsFor({ server, config }: Pick<BaseBackupParts, 'server' | 'config'>): string[] {
  const { checkpoint, maxRateKilobytes, maintenanceDatabase } = config;
  return [
    ...['--format=tar', '--wal-method=fetch', `--checkpoint=${checkpoint}`, '--manifest-checksums=SHA256'],
    ...['--no-password', '--label=backupx', ...(maxRateKilobytes > 0 ? [`--max-rate=${maxRateKilobytes}k`] : [])],
    `--dbname=${server.conninfo(maintenanceDatabase)}`,
  ];
}

/** As above, by way of a folder; `needBytes` is looked for there beforehand. Throws SOURCE_FAILED without it. */
export async function* stagedBaseBackup(parts: BaseBackupParts, needBytes: number): AsyncGenerator<TarMember> {
  const { server, context } = parts;
  const what = 'the server has tablespaces, so its backup';
  await lookForSpace(server.secrets.path, { what, leastBytes: needBytes, wantedBytes: needBytes });
  const folder = join(server.secrets.path, 'base');
  const { tool, output, watch } = run(parts, ['--no-sync', `--pgdata=${folder}`]);
  try {
    for await (const _ of output);
  } finally {
    await watch.stop();
  }
  reportWarnings((await tool.ended).messages, { path: `${ROOT}/${DATA}`, context, style: WARNINGS });
  const archives = readdirSync(folder).filter((name) => name.endsWith('.tar'));
  // First that of the data directory, which says where the tablespaces were.
  for (const name of archives.sort((a, b) => Number(b === 'base.tar') - Number(a === 'base.tar'))) {
    const below = name === 'base.tar' ? '' : `${TABLESPACE_FOLDER}/${name.slice(0, -'.tar'.length)}/`;
    for await (const member of tarMembers(createReadStream(join(folder, name), { highWaterMark: READ_BYTES }))) {
      yield { ...member, path: `${below}${member.path}` };
    }
  }
  yield manifestIn(folder);
}

/** After wrong checksums of pages it keeps its temporary name. */
function manifestIn(folder: string): TarMember {
  const path = [MANIFEST, `${MANIFEST}.tmp`].map((name) => join(folder, name)).find((name) => existsSync(name));
  if (!path)
    throw new AppError('DATABASE_DUMP_INCOMPLETE', { name: 'the server', reason: `there is no ${MANIFEST} in it` });
  const { size, mtime, uid, gid } = statSync(path);
  return {
    ...{ path: MANIFEST, type: 'file', mode: 0o600, uid, gid, userName: 'postgres', groupName: 'postgres' },
    ...{ modifiedAt: mtime, sizeBytes: size, content: createReadStream(path) },
  };
}
