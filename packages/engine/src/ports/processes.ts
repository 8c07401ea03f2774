/**
 * Programs of others that sources run: dump and restore tools of databases. They get an environment made for them (none
 * of ours, no secrets: those go into files, see `secret-folder.ts`), a process group of their own, and end when the
 * thread that started them ends, however that happens.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from './clock.ts';
import { MessageTail } from './message-tail.ts';

/** What is started. `program` is an absolute path, see `find-tool.ts`. */
export interface ToolCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** Beside PATH, HOME, LANG, LC_ALL and TZ. Never a secret: other users of the machine may see it. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The user to run as; only root can. Left out: ours. */
  readonly runAs?: { readonly uid: number; readonly gid: number };
  /** Words that must not appear in what is told of its messages. */
  readonly secrets?: readonly string[];
  /** Lines of its messages that only tell how far it is; they are not kept, so that they push no others out. */
  readonly progressLines?: RegExp;
}

/** How it ended. Exactly one of `exitCode` and `signal` is set. */
export interface ToolEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last 16 KiB of its error messages, without secrets. */
  readonly messages: string;
}

export interface ToolProcess {
  readonly pid: number;
  /** Its output; must be read or `kill`ed, else it waits for ever. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Hands it input; resolves when it may have more. False: it reads no more (see `ended` for the reason). */
  write(bytes: Uint8Array): Promise<boolean>;
  endInput(): void;
  /** Resolves when it is gone and its messages are complete; never rejects. */
  readonly ended: Promise<ToolEnd>;
  /** SIGTERM to it and all it started, SIGKILL after five seconds; idempotent. */
  kill(): void;
}

const KILL_GRACE_MS = 5_000;
/** Sends a signal to a program when the thread that started it has gone. Part of every Linux (util-linux). */
const SETPRIV = '/usr/bin/setpriv';
const KEPT_ENV = ['PATH', 'HOME', 'TZ', 'TMPDIR'] as const;

/** Starts a program. Throws INTERNAL when the system cannot start it at all; `signal` kills it. */
export function startTool(command: ToolCommand, signal: AbortSignal): ToolProcess {
  if (signal.aborted) throw new AppError('CANCELLED');
  const [program, args] = withDeathSignal(command);
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    cwd: command.cwd,
    env: environmentOf(command),
    uid: command.runAs?.uid,
    gid: command.runAs?.gid,
  });
  return new RunningTool(child, command, signal);
}

/** Setuid programs lose the death signal; none of the tools is one. */
function withDeathSignal({ program, args }: ToolCommand): [string, string[]] {
  if (process.platform !== 'linux' || !existsSync(SETPRIV)) return [program, [...args]];
  return [SETPRIV, ['--pdeathsig', 'KILL', '--', program, ...args]];
}

function environmentOf({ env, runAs }: ToolCommand): Record<string, string> {
  // The one door to the environment: what a tool needs of ours, and nothing that would change what it does.
  const own = process.env;
  const kept = KEPT_ENV.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]]]));
  const home = runAs ? { HOME: '/' } : {};
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    ...Object.fromEntries(kept),
    ...home,
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    ...env,
  };
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

class RunningTool implements ToolProcess {
  readonly pid: number;
  readonly output: AsyncIterable<Uint8Array>;
  readonly ended: Promise<ToolEnd>;
  readonly #child: Child;
  readonly #messages: MessageTail;
  readonly #gone = new AbortController();
  #isKilled = false;

  constructor(child: Child, command: ToolCommand, signal: AbortSignal) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.output = child.stdout;
    this.#messages = new MessageTail(command.progressLines);
    child.stderr.on('data', (chunk: Buffer) => this.#messages.push(chunk));
    // What goes wrong with a pipe shows in how the program ends.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
    const onAbort = () => this.kill();
    signal.addEventListener('abort', onAbort, { once: true });
    this.ended = new Promise((resolve) => {
      let startError = '';
      child.on('error', (error) => {
        startError = error.message;
        if (child.pid === undefined) resolve({ exitCode: 127, signal: null, messages: startError });
      });
      // What it has split off (a parallel dump) would hold its pipes open for as long as its work takes.
      child.on('exit', (_, killedBy) => {
        if (killedBy !== null) this.#signal('SIGKILL');
      });
      child.on('close', (exitCode, killedBy) => {
        this.#gone.abort();
        signal.removeEventListener('abort', onAbort);
        const messages = redact(this.#messages.text || startError, command.secrets ?? []);
        resolve({ exitCode, signal: killedBy, messages });
      });
    });
  }

  write(bytes: Uint8Array): Promise<boolean> {
    const { stdin } = this.#child;
    if (stdin.destroyed || this.#gone.signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      stdin.write(bytes, (error) => resolve(!error));
    });
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  kill(): void {
    if (this.#isKilled) return;
    this.#isKilled = true;
    this.#signal('SIGTERM');
    // Nobody reads on; a full pipe must not keep it from ending.
    this.#child.stdout.destroy();
    this.#child.stdin.destroy();
    systemClock.sleep(KILL_GRACE_MS, this.#gone.signal).then(
      () => this.#signal('SIGKILL'),
      () => {},
    );
  }

  #signal(name: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#gone.signal.aborted || this.pid === 0) return;
    try {
      process.kill(-this.pid, name);
    } catch {
      // It has gone meanwhile.
    }
  }
}

function redact(text: string, secrets: readonly string[]): string {
  return secrets.filter((secret) => secret.length > 0).reduce((told, secret) => told.replaceAll(secret, '***'), text);
}

export interface ToolText extends ToolEnd {
  readonly text: string;
}

export interface RunToolOptions {
  readonly signal: AbortSignal;
  /** Default 60 s; then it is killed and TIMEOUT thrown. */
  readonly timeoutMs?: number;
  readonly input?: string;
  /** More output than this is an error. Default 64 MiB. */
  readonly maxBytes?: number;
}

const RUN_TIMEOUT_MS = 60_000;
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

/** Runs a program to its end and answers what it printed, whatever its exit code. Throws CANCELLED, TIMEOUT, INTERNAL. */
export async function runTool(command: ToolCommand, options: RunToolOptions): Promise<ToolText> {
  const { signal, timeoutMs = RUN_TIMEOUT_MS, maxBytes = MAX_TEXT_BYTES } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const tool = startTool(command, AbortSignal.any([signal, timeout]));
  if (options.input !== undefined) void tool.write(Buffer.from(options.input)).then(() => tool.endInput());
  else tool.endInput();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of tool.output) {
      size += chunk.byteLength;
      if (size > maxBytes)
        throw new AppError('INTERNAL', {}, { cause: new Error(`${command.program} printed too much`) });
      chunks.push(chunk);
    }
  } catch (error) {
    tool.kill();
    if (error instanceof AppError) throw error;
  }
  const end = await tool.ended;
  if (signal.aborted) throw new AppError('CANCELLED');
  if (timeout.aborted) {
    throw new AppError('TIMEOUT', { what: command.program, seconds: Math.round(timeoutMs / 1000) });
  }
  return { ...end, text: Buffer.concat(chunks).toString('utf8') };
}

/** One line that says how a program ended and what it said last; for messages to people. */
export function describeEnd(end: ToolEnd): string {
  const lines = end.messages.split('\n').map((line) => line.trim());
  const said = lines.filter(Boolean).slice(-3).join(' / ');
  const how = end.signal ? `it was ended by ${end.signal}` : `exit code ${end.exitCode}`;
  return said === '' ? how : `${said} (${how})`;
}

/** True for a program that ended by itself and well. */
export function isSuccess({ exitCode, signal }: ToolEnd): boolean {
  return exitCode === 0 && signal === null;
}

/** Takes what a program prints, which would wait otherwise. Never throws: how it ends tells what went wrong. */
export async function drain(output: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const _ of output);
  } catch {
    // It was killed.
  }
}

/** True as soon as a program prints anything, whose rest nobody can read then; false when it has ended without. */
export async function printsSomething(tool: ToolProcess): Promise<boolean> {
  try {
    for await (const _ of tool.output) return true;
  } catch {
    // It was killed.
  }
  return false;
}

/**
 * The output of a tool as a stream that ends only when the tool has ended well; otherwise it throws what `failure`
 * makes of its end. Whoever stops reading early kills it.
 */
export async function* outputOf(
  tool: ToolProcess,
  options: { readonly signal: AbortSignal; failure(end: ToolEnd): Error },
): AsyncGenerator<Uint8Array> {
  let isWhole = false;
  try {
    try {
      for await (const chunk of tool.output) yield chunk;
    } catch {
      tool.kill();
    }
    const end = await tool.ended;
    if (options.signal.aborted) throw new AppError('CANCELLED');
    if (!isSuccess(end)) throw options.failure(end);
    isWhole = true;
  } finally {
    if (!isWhole) tool.kill();
  }
}
