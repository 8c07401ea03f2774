/** Connection strings, in the one form that MongoDB's programs and its driver both read: all settings of a login in one. */
import type { ConnectionConfig } from './settings.ts';

interface ConnectionString {
  readonly scheme: 'mongodb' | 'mongodb+srv';
  readonly user: string;
  readonly hasPassword: boolean;
  /** As written: `a:27017,b`. */
  readonly hosts: string;
  readonly database: string;
  /** By their names in lower case; values decoded. */
  readonly options: ReadonlyMap<string, { readonly name: string; readonly value: string }>;
}

const FORM = /^(mongodb(?:\+srv)?):\/\/(?:([^@/?]*)@)?([^@/?]+)(?:\/([^/?]*))?(?:\?(.*))?$/s;

/** Null for one that is none. */
export function parseConnectionString(text: string): ConnectionString | null {
  const match = FORM.exec(text);
  if (!match) return null;
  const [, scheme, login = '', hosts = '', database = '', query = ''] = match;
  const colon = login.indexOf(':');
  try {
    const options = query.split('&').filter(Boolean);
    return {
      scheme: scheme as ConnectionString['scheme'],
      user: decodeURIComponent(colon < 0 ? login : login.slice(0, colon)),
      hasPassword: colon >= 0,
      hosts,
      database: decodeURIComponent(database),
      options: new Map(options.map(readOption)),
    };
  } catch {
    return null;
  }
}

function readOption(part: string): [string, { name: string; value: string }] {
  const [name = '', value = ''] = part.split(/=(.*)/s);
  return [name.toLowerCase(), { name, value: decodeURIComponent(value) }];
}

/** Paths of files with certificates; null: there is none. */
export interface CertificateFiles {
  readonly ca: string | null;
  /** Certificate and key in one. */
  readonly client: string | null;
}

const SELECTION_MS = 10_000;

/** The login of a task: what the fields say counts before what the string says. */
export function connectionString(config: ConnectionConfig, files: CertificateFiles): string {
  const given = config.uri === '' ? null : parseConnectionString(config.uri);
  const user = config.dbUser || (given?.user ?? '');
  const hosts = given?.hosts ?? hostsOf(config);
  const options = new Options(given?.options);
  if (user !== '' && !options.has('authMechanism')) options.setIfAbsent('authSource', given?.database || 'admin');
  options.setIfSaid('authSource', config.authSource);
  options.setIfSaid('replicaSet', config.replicaSet);
  if (config.readPreference !== 'primary') options.set('readPreference', config.readPreference);
  // One host alone is asked itself, also where it is a member of a replica set.
  if (!given && !hosts.includes(',') && config.replicaSet === '') options.set('directConnection', 'true');
  options.setIfAbsent('serverSelectionTimeoutMS', String(SELECTION_MS));
  options.setIfAbsent('connectTimeoutMS', String(SELECTION_MS));
  for (const [name, value] of tlsOptions(config, files)) options.set(name, value);
  const secret = config.dbPassword === '' ? '' : `:${encode(config.dbPassword)}`;
  const login = user === '' ? '' : `${encode(user)}${secret}@`;
  return `${given?.scheme ?? 'mongodb'}://${login}${hosts}/?${options}`;
}

/** Those of a connection string, whose names have no upper and lower case. */
class Options {
  readonly #byName: Map<string, { readonly name: string; readonly value: string }>;

  constructor(given?: ConnectionString['options']) {
    this.#byName = new Map(given ?? []);
  }

  has(name: string): boolean {
    return this.#byName.has(name.toLowerCase());
  }

  set(name: string, value: string): void {
    this.#byName.set(name.toLowerCase(), { name, value });
  }

  setIfSaid(name: string, value: string): void {
    if (value !== '') this.set(name, value);
  }

  setIfAbsent(name: string, value: string): void {
    if (!this.has(name)) this.set(name, value);
  }

  toString(): string {
    return [...this.#byName.values()].map(({ name, value }) => `${name}=${encode(value)}`).join('&');
  }
}

/** `encodeURIComponent` leaves some that a connection string gives a meaning. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

function tlsOptions({ tlsMode }: ConnectionConfig, files: CertificateFiles): [string, string][] {
  const options: [string, string][] = [];
  // A string may ask for TLS by itself (mongodb+srv always does).
  if (tlsMode !== 'disable') options.push(['tls', 'true']);
  if (tlsMode === 'require') options.push(['tlsInsecure', 'true']);
  if (files.ca !== null) options.push(['tlsCAFile', files.ca]);
  if (files.client !== null) options.push(['tlsCertificateKeyFile', files.client]);
  return options;
}

/** Each host with its port; the path of a socket as it is written in a connection string. */
function hostsOf({ dbHost, dbPort }: ConnectionConfig): string {
  const hosts = dbHost.split(',').map((host) => host.trim());
  return hosts
    .filter(Boolean)
    .map((host) => {
      if (host.startsWith('/')) return encode(host);
      if (/^\[.*\](:\d+)?$|^[^:]+:\d+$/.test(host)) return /:\d+$/.test(host) ? host : `${host}:${dbPort}`;
      return host.includes(':') ? `[${host}]:${dbPort}` : `${host}:${dbPort}`;
    })
    .join(',');
}

/** How people know the server; without a secret. */
export function describeServer(config: ConnectionConfig): string {
  const given = config.uri === '' ? null : parseConnectionString(config.uri);
  return decodeURIComponent(given?.hosts ?? hostsOf(config));
}

/** Who logs in; empty: nobody. */
export function userOf(config: ConnectionConfig): string {
  return config.dbUser || (parseConnectionString(config.uri)?.user ?? '');
}

/** What must not be seen in messages. */
export function secretsOf({ dbPassword }: ConnectionConfig): string[] {
  return [dbPassword, encode(dbPassword), encodeURIComponent(dbPassword)].filter(Boolean);
}
