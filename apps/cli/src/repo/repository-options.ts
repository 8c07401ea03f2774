/** What every command on a repository is told: where it is and what opens it. */
import { AppError } from '@backupx/contracts/errors';
import type { RepositoryAccess } from '@backupx/contracts/jobs';
import type { Command } from 'commander';
import { jsonFlag } from '../command-context.ts';
import { readSecret } from '../read-secret.ts';
import { parseRepositoryAddress, type RepositoryPlace } from './repository-address.ts';

export interface RepositoryOptions {
  readonly repo?: string;
  readonly passwordFile?: string;
  readonly credentialsFile?: string;
  readonly json?: boolean;
}

/** The same for a second repository to read from. */
export interface FromOptions {
  readonly fromRepo?: string;
  readonly fromPasswordFile?: string;
  readonly fromCredentialsFile?: string;
}

export function withRepository(command: Command): Command {
  return command
    .option('-r, --repo <address>', 'folder, s3:https://host/bucket/folder, rest:https://host/path, or a settings file')
    .option('-p, --password-file <file>', 'read the password of the repository from a file instead of asking')
    .option('--credentials-file <file>', 'YAML or JSON file with the access keys of the storage')
    .option(...jsonFlag);
}

export function withFromRepository(command: Command): Command {
  return command
    .option('--from-repo <address>', 'the other repository')
    .option('--from-password-file <file>', 'its password')
    .option('--from-credentials-file <file>', 'access keys of its storage');
}

/** Where the repository is: `--repo`, else BACKUPX_REPO. Throws INVALID_INPUT. */
export function readPlace(options: RepositoryOptions): RepositoryPlace {
  const address = options.repo ?? process.env.BACKUPX_REPO;
  if (!address) throw missing('--repo', 'say which repository: --repo <address>, or set BACKUPX_REPO');
  const isTyped = options.repo !== undefined;
  return parseRepositoryAddress(address, {
    environment: process.env,
    credentialsFile: options.credentialsFile,
    isTyped,
  });
}

/** `--password-file`, else BACKUPX_REPO_PASSWORD_FILE, else standard input or a question. */
export function readPassword(options: RepositoryOptions, isNew = false): Promise<string> {
  const file = options.passwordFile ?? process.env.BACKUPX_REPO_PASSWORD_FILE;
  return readSecret({
    file,
    question: isNew ? 'Password for the new repository' : 'Password of the repository',
    isNew,
  });
}

/** Place and password together. Asks when it must. */
export async function readAccess(options: RepositoryOptions): Promise<RepositoryAccess> {
  return toAccess(readPlace(options), await readPassword(options));
}

/** Null without `--from-repo`. */
export function readFromPlace(options: FromOptions): RepositoryPlace | null {
  const { fromRepo, fromCredentialsFile } = options;
  if (!fromRepo) return null;
  return parseRepositoryAddress(fromRepo, {
    environment: process.env,
    credentialsFile: fromCredentialsFile,
    isTyped: true,
  });
}

export function readFromPassword(options: FromOptions): Promise<string> {
  return readSecret({ file: options.fromPasswordFile, question: 'Password of the other repository', isNew: false });
}

export function toAccess(place: RepositoryPlace, password: string): RepositoryAccess {
  return { ...place, id: 0, unlock: { password }, leaseId: 0, condemnedPacks: [] };
}

export function missing(path: string, message: string): AppError {
  return new AppError('INVALID_INPUT', {}, { fields: [{ path, code: 'required', message }] });
}
