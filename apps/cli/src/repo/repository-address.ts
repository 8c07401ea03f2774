/**
 * Where a repository lies, as it is typed after `--repo`: a folder, `s3:https://host/bucket/folder`,
 * `rest:https://host/path`, or a YAML or JSON file that names a storage and its settings. Secrets come from the
 * environment or from a file, never from the command line, which everybody on the machine can read.
 */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { decodePercent } from '@backupx/contracts/decode-percent';
import { AppError } from '@backupx/contracts/errors';
import type { JobTarget } from '@backupx/contracts/jobs';
import { parse } from 'yaml';
import { z } from 'zod';

type Environment = Readonly<Record<string, string | undefined>>;

export interface AddressSources {
  readonly environment: Environment;
  /** YAML or JSON file with access keys or user name and password. */
  readonly credentialsFile?: string;
  /** The address stood on the command line: a password in it is refused. */
  readonly isTyped: boolean;
}

export interface RepositoryPlace {
  readonly target: JobTarget;
  /** Folder inside the storage; `''`: its root. */
  readonly prefix: string;
}

/** Throws INVALID_INPUT for an address that is none, CONFIG_INVALID for a file that does not fit. */
export function parseRepositoryAddress(address: string, sources: AddressSources): RepositoryPlace {
  if (address === '') throw invalid('it is empty');
  if (/^s3:/i.test(address)) return s3Place(address.slice(3), sources);
  if (/^rest:/i.test(address)) return restPlace(address.slice(5), sources);
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(address)?.[1];
  if (scheme) throw invalid(`${scheme}: is no kind of address; known are a folder, s3:, rest:, or a settings file`);
  return isFile(address) ? placeFromFile(address) : diskPlace(resolve(address));
}

function place(name: string, settings: Pick<JobTarget, 'type' | 'config'>, prefix = ''): RepositoryPlace {
  return { target: { id: 1, name, viaMaster: false, ...settings }, prefix };
}

function diskPlace(basePath: string): RepositoryPlace {
  return place(basePath, { type: 'local_disk', config: { basePath } });
}

function s3Place(rest: string, sources: AddressSources): RepositoryPlace {
  const url = parseUrl(rest.includes('://') ? rest : `https://${rest}`, 's3:https://host/bucket/folder');
  const [bucket, ...folders] = decodedSegments(url);
  if (!bucket) throw invalid('it names no bucket; it looks like s3:https://host/bucket/folder');
  if (url.username || url.password) throw invalid('access keys do not belong into it');
  const keys = { ...s3Environment(sources.environment), ...readCredentials(sources.credentialsFile) };
  if (!keys.accessKeyId || !keys.secretAccessKey) {
    throw invalid(
      'access keys are missing; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use --credentials-file',
    );
  }
  const config = { endpoint: url.origin, bucket, forcePathStyle: true, ...keys };
  return place(`s3:${url.origin}/${bucket}`, { type: 's3', config }, folders.join('/'));
}

function s3Environment(environment: Environment): Record<string, string> {
  const values = {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    sessionToken: environment.AWS_SESSION_TOKEN,
    region: environment.AWS_REGION || environment.AWS_DEFAULT_REGION,
  };
  return Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (value ? [[key, value]] : [])));
}

function restPlace(rest: string, { environment, credentialsFile, isTyped }: AddressSources): RepositoryPlace {
  const url = parseUrl(rest, 'rest:https://host/path');
  if (url.password && isTyped) {
    throw invalid('a password does not belong on the command line; set RESTIC_REST_PASSWORD or use --credentials-file');
  }
  const inUrl = { username: decodePercent(url.username), password: decodePercent(url.password) };
  const given: Record<string, string> = readCredentials(credentialsFile);
  const user = given.user || given.username || inUrl.username || environment.RESTIC_REST_USERNAME || '';
  const password = given.password || inUrl.password || environment.RESTIC_REST_PASSWORD || '';
  const bare = `${url.origin}${url.pathname.replace(/\/*$/, '/')}`;
  const config = { url: bare, ...(user ? { user, password } : {}), ...(given.token ? { token: given.token } : {}) };
  return place(`rest:${bare}`, { type: 'rest', config });
}

function parseUrl(text: string, example: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || !url.hostname) throw invalid(`it must look like ${example}`);
  if (url.search || url.hash) throw invalid('"?" and "#" have no place in it');
  return url;
}

function decodedSegments(url: URL): string[] {
  return url.pathname.split('/').flatMap((segment) => (segment ? [decodeURIComponent(segment)] : []));
}

const settingsSchema = z.object({
  type: z.string().min(1),
  config: z.record(z.string(), z.unknown()),
  prefix: z.string().default(''),
});

function placeFromFile(path: string): RepositoryPlace {
  const { type, config, prefix } = parseFile(path, settingsSchema);
  return place(path, { type, config }, prefix.replace(/^\/+|\/+$/g, ''));
}

const credentialsSchema = z.record(z.string(), z.string());

function readCredentials(path: string | undefined): Record<string, string> {
  return path ? parseFile(path, credentialsSchema) : {};
}

/** YAML, of which JSON is a part. */
function parseFile<S extends z.ZodType>(path: string, schema: S): z.output<S> {
  try {
    return schema.parse(parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll('\n', ' ') : 'it is not YAML or JSON';
    const code = (cause as NodeJS.ErrnoException).code;
    throw new AppError('CONFIG_INVALID', { problems: `${path}: ${code ?? reason}` });
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function invalid(message: string): AppError {
  return new AppError('INVALID_INPUT', {}, { fields: [{ path: '--repo', code: 'address', message }] });
}
