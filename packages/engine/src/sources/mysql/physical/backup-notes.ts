/** What the programs write beside the files they copy: moments, positions, versions. */
import { AppError } from '@backupx/contracts/errors';
import type { Flavour } from '../flavour.ts';
import { quoteOption } from '../option-file.ts';

const NOTE = /^(?:xtrabackup|mariadb_backup)_(info|checkpoints|binlog_info)$/;
const USUAL_SETTINGS: Readonly<Record<string, string>> = {
  innodb_page_size: '16384',
  innodb_data_file_path: 'ibdata1:12M:autoextend',
};
const MAX_NOTE_BYTES = 1024 * 1024;

/** Gathered while the files pass. */
export class BackupNotes {
  readonly #texts = new Map<string, string>();

  /** Passes content on and keeps that of the notes. */
  keep(path: string, content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const kind = NOTE.exec(path)?.[1] ?? (path === 'backup-my.cnf' ? 'settings' : null);
    return kind === null ? content : this.#read(kind, content);
  }

  /** LSN of the end of the copy, position in the binary log and others. Throws DATABASE_DUMP_INCOMPLETE. */
  details(): Record<string, string> {
    const [info, checkpoints] = [this.#values('info'), this.#values('checkpoints')];
    const lsn = checkpoints.get('last_lsn') ?? checkpoints.get('to_lsn') ?? '';
    if (!/^\d+$/.test(lsn) || !info.has('server_version')) {
      const reason = 'what the program notes at its end is missing (xtrabackup_info, xtrabackup_checkpoints)';
      throw new AppError('DATABASE_DUMP_INCOMPLETE', { name: 'the server', reason });
    }
    const details: Record<string, string> = {
      toolVersion: info.get('tool_version') ?? '',
      serverVersion: info.get('server_version') ?? '',
      fromLsn: checkpoints.get('from_lsn') ?? '0',
      toLsn: checkpoints.get('to_lsn') ?? lsn,
      lastLsn: lsn,
    };
    return { ...details, ...positionOf(this.#texts.get('binlog_info') ?? '') };
  }

  async *#read(kind: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of content) {
      size += chunk.byteLength;
      if (size <= MAX_NOTE_BYTES) chunks.push(Buffer.from(chunk));
      yield chunk;
    }
    this.#texts.set(kind, Buffer.concat(chunks).toString('utf8'));
  }

  #values(kind: string): Map<string, string> {
    const lines = (this.#texts.get(kind) ?? '').split('\n');
    return new Map(lines.flatMap((line) => entryOf(line)));
  }
}

function entryOf(line: string): [string, string][] {
  const match = /^([\w-]+)\s*=\s*(.*)$/.exec(line);
  return match ? [[match[1] ?? '', match[2] ?? '']] : [];
}

/** `bin.000001<tab>636<tab>0-7-2`. */
function positionOf(text: string): Record<string, string> {
  const [binlogFile, binlogPosition = '', gtid] = text.trim().split(/\t/);
  if (!binlogFile || !/^\d+$/.test(binlogPosition)) return {};
  return { binlogFile, binlogPosition, ...(gtid ? { gtid: gtid.replace(/\s+/g, '') } : {}) };
}

/** What the programs of each flavour know; those of MySQL refuse what they do not. */
const READING: Readonly<Record<Flavour, RegExp>> = {
  mariadb: /^(innodb_(?:data_file_path|page_size|undo_tablespaces|checksum_algorithm)|lower_case_table_names)$/,
  mysql: /^innodb_(?:data_file_path|page_size|undo_tablespaces|checksum_algorithm|log_checksums)$/,
};

/**
 * Settings of `backup-my.cnf` that a program needs to read the files, as arguments. Not the folder of the undo logs: the
 * copy has them with its other files, and that folder may be in use by the original.
 */
export function readingArgsOf(settings: string, flavour: Flavour): string[] {
  const entries = settings.split('\n').flatMap((line) => entryOf(line));
  return asArgs(entries.filter(([name, value]) => READING[flavour].test(name) && value !== ''));
}

/** The same for a server. Of those of MySQL newer ones have no use for some, and would not start. */
export function serverArgsOf(settings: string, flavour: Flavour): string[] {
  const args = readingArgsOf(settings, flavour);
  return flavour === 'mariadb' ? args : args.map((arg) => arg.replace(/^--/, '--loose-'));
}

const asArgs = (entries: readonly [string, string][]): string[] =>
  entries.map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`);

/**
 * What a server needs beside that for encrypted files, as arguments; none for plain ones. `secretFile`: where the password
 * of the file with the keys is, when there is one.
 */
export const keyArgsOf = (settings: string, secretFile: string): string[] =>
  asArgs(keySettings(settings).map(([name, value]) => [name, isSecret(name, value) ? `FILE:${secretFile}` : value]));

/** The password of the file with the keys, as the option file of the server had it; null: there is none, or in a file. */
export function keySecretOf(settings: string): string | null {
  return keySettings(settings).find(([name, value]) => isSecret(name, value))?.[1] ?? null;
}

const isSecret = (name: string, value: string): boolean => name.endsWith('filekey') && !value.startsWith('FILE:');

/** The same as an option file, for programs that do not take it as arguments; empty for plain files. */
export function keyFileOf(settings: string): string {
  // Some of the lines are not read as options are, but by their text.
  const lineOf = ([name, value]: [string, string]) => {
    if (isSecret(name, value)) return `${name}=${quoteOption(value)}\n`;
    return `${name}=${name === 'plugin_dir' ? `"${value}"` : value}\n`;
  };
  const lines = keySettings(settings).map(lineOf);
  return lines.length === 0 ? '' : `[mysqld]\n${lines.join('')}`;
}

/**
 * Encrypted files are read by the plugin of MariaDB that has its keys in a file, out of a folder that belongs to the
 * system; no other program is loaded because an artifact says so. A password of that file is never an argument: all may
 * see those.
 */
function keySettings(text: string): [string, string][] {
  const settings = new Map(text.split('\n').flatMap((line) => entryOf(line)));
  const folder = (settings.get('plugin_dir') ?? '').replace(/^"(.*)"$/, '$1');
  if (!isSystemFolder(folder) || !/^file_key_management(?:\.so)?\b/.test(settings.get('plugin_load') ?? '')) return [];
  const names = ['filename', 'filekey', 'encryption_algorithm'].map((name) => `file_key_management_${name}`);
  const kept = names.flatMap((name): [string, string][] => {
    const value = settings.get(name) ?? '';
    return value === '' ? [] : [[name, value]];
  });
  const log: [string, string][] = settings.get('innodb_encrypt_log') === '1' ? [['innodb_encrypt_log', '1']] : [];
  return [['plugin_load', 'file_key_management=file_key_management'], ['plugin_dir', folder], ...kept, ...log];
}

/** True for folders that belong to the system, out of which plugins may be loaded. */
export const isSystemFolder = (folder: string): boolean =>
  /^\/(?:usr|opt)\//.test(folder) && !folder.split('/').includes('..');

/** What the server of a restored folder must be told: lines that it needs, and where undo logs lay that are inside now. */
export function startSettings(settings: string): { readonly needed: string[]; readonly undoFolder: string | null } {
  const entries = settings.split('\n').flatMap((line) => entryOf(line));
  const needed = entries
    .filter(([name, value]) => USUAL_SETTINGS[name] !== undefined && USUAL_SETTINGS[name] !== value)
    .map(([name, value]) => `${name} = ${value}`);
  const undoFolder = new Map(entries).get('innodb_undo_directory') ?? '';
  return { needed, undoFolder: undoFolder.startsWith('/') ? undoFolder : null };
}
