/** Calls the Backint agent as SAP HANA does: files with the questions and the answers, named pipes for the data. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const program = path.resolve(import.meta.dirname, '../../apps/cli/bin/backupx.mjs');
let calls = 0;

export interface Answer {
  readonly code: number;
  /** Without the line about the software. */
  readonly lines: string[];
  readonly software: string;
  readonly stderr: string;
}

export interface RunningCall {
  readonly child: ChildProcess;
  readonly answer: Promise<Answer>;
}

export interface CallOptions {
  readonly folder: string;
  readonly parameters: string;
  readonly user?: string;
  readonly version?: string;
  /** Started instead of the program itself. */
  readonly command?: readonly string[];
  readonly extraFlags?: readonly string[];
}

/** Starts a call with the flags of a real one; `asked`: its lines. */
export function startCall(name: string, asked: readonly string[], options: CallOptions): RunningCall {
  const base = path.join(options.folder, `hdbbackint_HDB.${++calls}`);
  const software = `#SOFTWAREID "backint ${options.version ?? '1.04'}" "HANA HDB server 2.00.059.00"`;
  writeFileSync(`${base}.in`, `${[software, ...asked].join('\n')}\n`);
  writeFileSync(`${base}.out`, '');
  const backup = name === 'backup' ? ['-s', '1707397841205', '-c', String(asked.length), '-l', 'COMPLETE'] : [];
  const flags = ['-f', name, '-p', options.parameters, '-i', `${base}.in`, '-o', `${base}.out`];
  const [command = '', ...words] = options.command ?? [process.execPath, program, 'backint'];
  const child = spawn(
    command,
    [...words, ...flags, '-u', options.user ?? 'HDB', ...backup, ...(options.extraFlags ?? [])],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const answer = new Promise<Answer>((resolve) => {
    child.on('close', (code, signal) => {
      const [first = '', ...lines] = existsSync(`${base}.out`) ? readFileSync(`${base}.out`, 'utf8').split('\n') : [];
      const answered = lines.filter((line) => line !== '');
      resolve({ code: code ?? (signal ? 128 : 1), lines: answered, software: first, stderr });
    });
  });
  return { child, answer };
}

/** A call from its start to its end. */
export function callBackint(name: string, asked: readonly string[], options: CallOptions): Promise<Answer> {
  return startCall(name, asked, options).answer;
}

/** Makes a named pipe as the database does. */
export function makePipe(file: string): string {
  execFileSync('mkfifo', [file]);
  return file;
}

/**
 * Writes into a pipe, as the database does in a backup, and closes it: a process of its own, since opening one waits
 * until somebody reads.
 */
export function feedPipe(file: string, bytes: Uint8Array): Promise<void> {
  const writer = startWriter(file);
  writer.stdin.end(bytes);
  return new Promise((resolve) => writer.on('close', () => resolve()));
}

/** Writes into a pipe and holds it open, as if there was more to come; `end` answers when the writer has gone. */
export function holdPipe(file: string, bytes: Uint8Array): { end(): Promise<void> } {
  const writer = startWriter(file);
  const gone = new Promise<void>((resolve) => writer.on('close', () => resolve()));
  writer.stdin.write(bytes);
  return {
    end: () => {
      writer.kill('SIGKILL');
      return gone;
    },
  };
}

function startWriter(file: string) {
  const writer = spawn('sh', ['-c', 'exec cat > "$1"', 'sh', file], { stdio: ['pipe', 'ignore', 'ignore'] });
  writer.stdin.on('error', () => {});
  return writer;
}

/** Reads a pipe to its end, as the database does in a restore; `limit`: dies after so many bytes. */
export async function drainPipe(file: string, limit?: number): Promise<Buffer> {
  const [command, ...words] = limit === undefined ? ['cat', file] : ['head', '-c', String(limit), file];
  const reader = spawn(command ?? '', words, { stdio: ['ignore', 'pipe', 'ignore'] });
  const chunks: Buffer[] = [];
  for await (const chunk of reader.stdout) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The same bytes for the same seed; they compress about as well as a database does. */
export function seededBytes(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2654435761 + 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = at % 3 === 0 ? state >>> 24 : at & 0x0f;
  }
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A name as the database writes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '\\"')}"`;
}

/** Ids of `#SAVED`, `#BACKUP` and `#RESTORED` lines, in their order. */
export function ebidsOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => /^#(?:SAVED|BACKUP|RESTORED) "([^"]+)"/.exec(line)?.[1] ?? []);
}
