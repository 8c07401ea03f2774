/** The programs that compete on repositories: Debian's restic, a current one where Go is, borg, ours. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { measureProcess, type ProcessMeasurement } from './measure.ts';

export interface Backup {
  readonly measurement: ProcessMeasurement;
  /** What a restore wants to know. */
  readonly snapshot: string;
}

/** One program with one repository in `folder`. */
export interface RepositoryProgram {
  readonly name: string;
  init(folder: string): Promise<void>;
  backup(folder: string, source: string): Promise<Backup>;
  /** Into `target`, which exists and is empty. */
  restore(folder: string, target: string, snapshot: string): Promise<ProcessMeasurement>;
}

const password = 'benchmark';

function createRestic(program: string, name: string): RepositoryProgram {
  const run = (folder: string, args: readonly string[]): Promise<ProcessMeasurement> =>
    measureProcess({
      program,
      args: ['-q', '--cache-dir', `${folder}.cache`, ...args],
      env: { RESTIC_REPOSITORY: folder, RESTIC_PASSWORD: password },
    });
  return {
    name,
    async init(folder) {
      await run(folder, ['init', '--repository-version', '2']);
    },
    backup: async (folder, source) => ({
      measurement: await run(folder, ['backup', '--host', 'bench', source]),
      snapshot: 'latest',
    }),
    restore: (folder, target, snapshot) => run(folder, ['restore', snapshot, '--target', target]),
  };
}

function createBorg(name: string): RepositoryProgram {
  const run = (folder: string, args: readonly string[], cwd?: string): Promise<ProcessMeasurement> =>
    measureProcess({
      program: 'borg',
      args,
      cwd,
      env: { BORG_REPO: folder, BORG_PASSPHRASE: password, BORG_BASE_DIR: `${folder}.cache` },
    });
  let archives = 0;
  return {
    name,
    async init(folder) {
      mkdirSync(`${folder}.cache`, { recursive: true });
      await run(folder, ['init', '-e', 'repokey']);
    },
    async backup(folder, source) {
      const archive = `a${++archives}`;
      return {
        measurement: await run(folder, ['create', '--compression', 'zstd,3', `::${archive}`, source]),
        snapshot: archive,
      };
    },
    restore: (folder, target, snapshot) => run(folder, ['extract', `::${snapshot}`], target),
  };
}

/** Keys of the repositories that were made here: runs that a master orders get them, and derive nothing. */
const masterKeys = new Map<string, string>();

/** Our whole process, start-up included. */
export const ours: RepositoryProgram = {
  name: 'BackupX',
  async init(folder) {
    const { result } = JSON.parse((await runOurs(['init', folder])).stdout) as { result: { masterKey: string } };
    masterKeys.set(folder, result.masterKey);
  },
  async backup(folder, source) {
    const measurement = await runOurs(['backup', folder, source]);
    const { result } = JSON.parse(measurement.stdout) as {
      result: { status: string; snapshot: { snapshotId: string }; problems: unknown };
    };
    if (result.status !== 'success') throw new Error(`a backup with problems: ${JSON.stringify(result.problems)}`);
    return { measurement, snapshot: result.snapshot.snapshotId };
  },
  restore: (folder, target, snapshot) => runOurs(['restore', folder, target, snapshot]),
};

/** Runs `repository-job.ts`, see there, started as the program is. */
export function runOurs(args: readonly string[]): Promise<ProcessMeasurement> {
  return measureProcess({
    program: process.execPath,
    args: [path.join(import.meta.dirname, 'start-repository-job.mjs'), ...args],
    env: { BENCH_PASSWORD: password, BENCH_MASTER_KEY: masterKeys.get(args[1] ?? '') ?? '' },
  });
}

function versionOf(program: string, argument: string): string {
  return /[\d.]+\d/.exec(spawnSync(program, [argument], { encoding: 'utf8' }).stdout ?? '')?.[0] ?? '';
}

/** The one that the tests have built, see tests/support/restic.ts. */
function findModernRestic(): string | null {
  const folder = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'backupx-tests');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^restic-[\d.]+$/.test(name)) : [];
  return names[0] ? path.join(folder, names[0]) : null;
}

/** The first is what ratios refer to. Throws when Debian's restic is missing; says which of the others are. */
export function findPrograms(): RepositoryProgram[] {
  const version = versionOf('restic', 'version');
  if (!version) throw new Error('restic is missing; tests/install-peers.sh installs it');
  const programs = [createRestic('restic', `restic ${version}`)];
  const modern = findModernRestic();
  if (modern) programs.push(createRestic(modern, `restic ${versionOf(modern, 'version')}`));
  else console.log('No current restic: the repository tests build it where Go is.');
  const borg = versionOf('borg', '--version');
  if (borg) programs.push(createBorg(`borg ${borg}`));
  else console.log('No borg: apt-get install borgbackup');
  return [...programs, ours];
}

/** Bytes of all files below `folder`. */
export function storedBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
}
