import { readFileSync } from 'node:fs';
import { AppError } from '@backupx/contracts/errors';
import { isCancel, password } from '@clack/prompts';

/** Where a secret may come from; never from a flag's value, which everybody on the machine could read. */
export interface SecretSource {
  readonly file?: string;
  readonly question: string;
  /** Asks twice. */
  readonly isNew: boolean;
}

/** Reads it from the file, from the terminal, or from standard input when that is no terminal. Throws AppError. */
export async function readSecret(source: SecretSource): Promise<string> {
  if (source.file) return firstLine(readFile(source.file), source.file);
  if (!process.stdin.isTTY) return firstLine(await readStdin(), 'standard input');
  const typed = await ask(source.question);
  if (source.isNew && (await ask('The same again')) !== typed) {
    throw new AppError(
      'INVALID_INPUT',
      {},
      { fields: [{ path: 'password', code: 'mismatch', message: 'the two differ' }] },
    );
  }
  return typed;
}

async function ask(message: string): Promise<string> {
  const answer = await password({ message, output: process.stderr });
  if (isCancel(answer)) throw new AppError('CANCELLED');
  return answer ?? '';
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const problems = `${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}`;
    throw new AppError('CONFIG_INVALID', { problems }, { cause });
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function firstLine(text: string, where: string): string {
  const line = text.split(/\r?\n/)[0] ?? '';
  if (line === '') throw new AppError('CONFIG_INVALID', { problems: `${where} holds no password` });
  return line;
}
