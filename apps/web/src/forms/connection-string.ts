/** Reads `postgres://user:password@host:5432/shop?sslmode=require` and its like into the fields a driver has. */
import type { DriverManifest } from '../api/types.ts';

type Values = Readonly<Record<string, unknown>>;

const TLS_FIELDS = ['tlsMode'] as const;
/** Schemes of addresses by the first word of the drivers' types. */
const SCHEMES: Readonly<Record<string, readonly string[]>> = {
  mongodb: ['mongodb', 'mongodb+srv'],
  mysql: ['mysql', 'mariadb'],
  postgresql: ['postgresql', 'postgres'],
  redis: ['redis', 'rediss', 'valkey', 'valkeys'],
};

const familyOf = ({ type }: DriverManifest): string => type.split('-')[0] ?? type;

/** It is known whose address this is, and it is another one's. */
function isOfAnother(driver: DriverManifest, text: string): boolean {
  const scheme = text.split(':')[0]?.toLowerCase() ?? '';
  const owner = Object.keys(SCHEMES).find((family) => SCHEMES[family]?.includes(scheme));
  return owner !== undefined && familyOf(driver) in SCHEMES && owner !== familyOf(driver);
}

/** What such an address looks like for this driver. */
export function exampleAddress(driver: DriverManifest): string {
  const family = familyOf(driver);
  const [scheme = family] = SCHEMES[family] ?? [];
  const port = driver.fields.find((field) => field.name === 'dbPort')?.default;
  const path = driver.fields.some((field) => field.name === 'databases') ? '/shop' : '';
  return `${scheme}://user:password@host${port === undefined ? '' : `:${port}`}${path}`;
}

function addressOf(text: string): URL | null {
  if (!/^[a-z][a-z0-9+]*:\/\/\S+$/i.test(text)) return null;
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

const plain = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** The string for a driver that takes it whole, but for user and password: a password has a field of its own. */
function splitLogin(text: string): Values | null {
  const match = /^([a-z][a-z0-9+]*:\/\/)(?:([^@/?\s:]*)(?::([^@/?\s]*))?@)?([^@\s]+)$/i.exec(text);
  if (!match) return null;
  const [, scheme = '', user = '', password = '', rest = ''] = match;
  const login = {
    ...(user === '' ? {} : { dbUser: plain(user) }),
    ...(password === '' ? {} : { dbPassword: plain(password) }),
  };
  return { uri: `${scheme}${rest}`, ...login };
}

/** Only what the driver has a field for; null: this is no connection string, or one of another kind of database. */
export function readConnectionString(driver: DriverManifest, input: string): Values | null {
  const text = input.trim();
  if (isOfAnother(driver, text)) return null;
  const has = (name: string) => driver.fields.some((field) => field.name === name);
  if (has('uri')) return splitLogin(text);
  const url = addressOf(text);
  if (!url) return null;
  const database = plain(url.pathname.replace(/^\//, ''));
  const found: Record<string, unknown> = {};
  const take = (name: string, value: unknown) => {
    if (has(name) && value !== '' && value !== undefined) found[name] = value;
  };
  take('dbHost', plain(url.hostname).replace(/^\[(.*)\]$/, '$1'));
  take('dbPort', url.port === '' ? undefined : Number(url.port));
  take('dbUser', plain(url.username));
  take('dbPassword', plain(url.password));
  // The path of a Redis address is a number, not a name.
  if (!/^(redis|rediss|valkey|valkeys):$/.test(url.protocol))
    take('databases', database === '' ? undefined : [database]);
  const tls = url.searchParams.get('sslmode') ?? url.searchParams.get('ssl-mode')?.toLowerCase();
  for (const name of TLS_FIELDS) {
    const options = driver.fields.find((field) => field.name === name)?.options ?? [];
    if (tls && options.includes(tls)) found[name] = tls;
  }
  return found;
}
