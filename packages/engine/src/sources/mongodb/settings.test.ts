import { AppError } from '@backupx/contracts/errors';
import { MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { byBytes, chooseDatabases, parseRenames } from '../../ports/database-names.ts';
import { connectionString, describeServer, parseConnectionString, secretsOf, userOf } from './connection-string.ts';
import { folderName, placeOf } from './entry-paths.ts';
import { driverError, toolError } from './failures.ts';
import { missingRights, readOnlyUserStatement } from './privileges.ts';
import { configSchema, restoreConnection, restoreSchema } from './settings.ts';

const none = { ca: null, client: null };
const config = (more: Record<string, unknown> = {}) => configSchema.parse(more);
const TIMES = 'serverSelectionTimeoutMS=10000&connectTimeoutMS=10000';

describe('a connection string', () => {
  it('says what the fields say', () => {
    expect(connectionString(config(), none)).toBe(`mongodb://127.0.0.1:27017/?directConnection=true&${TIMES}`);
    const odd = config({ dbHost: 'a, b:1,::1', dbUser: `o'd@:/`, dbPassword: 'p%(*)\n', authSource: 'x&y' });
    const hosts = 'a:27017,b:1,[::1]:27017';
    const login = 'o%27d%40%3A%2F:p%25%28%2A%29%0A';
    expect(connectionString(odd, none)).toBe(`mongodb://${login}@${hosts}/?authSource=x%26y&${TIMES}`);
    const set = config({ replicaSet: 'rs', readPreference: 'secondary', dbUser: 'u' });
    expect(connectionString(set, none)).toBe(
      `mongodb://u@127.0.0.1:27017/?authSource=admin&replicaSet=rs&readPreference=secondary&${TIMES}`,
    );
    expect(connectionString(config({ dbHost: '/run/m.sock' }), none)).toContain('mongodb://%2Frun%2Fm.sock/?');
  });

  it('keeps what was given, and the fields count before it', () => {
    const uri = 'mongodb+srv://m%40@c.example.com/shop?retryWrites=true&TLS=true&authsource=here';
    const given = connectionString(config({ uri, dbHost: 'unused' }), none);
    expect(given).toBe(`mongodb+srv://m%40@c.example.com/?retryWrites=true&TLS=true&authsource=here&${TIMES}`);
    const fields = connectionString(config({ uri, dbUser: 'you', dbPassword: 'x', authSource: 'there' }), none);
    expect(fields).toContain('mongodb+srv://you:x@c.example.com/?');
    expect(fields).toContain('authSource=there');
    expect(fields).not.toContain('here&authsource');
    // The database in it is where the user was made, unless that is said; dumps choose their own.
    expect(connectionString(config({ uri: 'mongodb://me@h/shop' }), none)).toContain('/?authSource=shop&');
    expect(connectionString(config({ uri: 'mongodb://me@h/', dbPassword: 'p' }), none)).toContain('mongodb://me:p@h/?');
  });

  it('asks for TLS as far as it was asked', () => {
    const tls = (more: Record<string, unknown>) =>
      connectionString(config(more), { ca: '/t/ca', client: '/t/c' }).split('&tls').slice(1);
    expect(tls({ tlsMode: 'require' })).toEqual([
      '=true',
      'Insecure=true',
      'CAFile=%2Ft%2Fca',
      'CertificateKeyFile=%2Ft%2Fc',
    ]);
    expect(tls({ tlsMode: 'verify-full' })).toEqual(['=true', 'CAFile=%2Ft%2Fca', 'CertificateKeyFile=%2Ft%2Fc']);
  });

  it('is refused when it is none', () => {
    for (const uri of [
      'http://a/',
      'mongodb://',
      'a:27017',
      'mongodb://%zz@h/',
      'mongodb://u:@h/',
      'mongodb://u:p@h/',
    ]) {
      expect(configSchema.safeParse({ uri }).success, uri).toBe(false);
    }
    expect(parseConnectionString('mongodb://a:1,b:2')).toMatchObject({ hosts: 'a:1,b:2', database: '' });
  });

  it('shows no secret', () => {
    const secret = config({ uri: 'mongodb://me@h:1/', dbPassword: 's@crt' });
    expect([describeServer(secret), userOf(secret)]).toEqual(['h:1', 'me']);
    expect(secretsOf(secret)).toEqual(expect.arrayContaining(['s@crt', 's%40crt']));
    const end = { exitCode: 1, signal: null, messages: 'Failed: cannot use s%40crt' };
    expect(toolError(end, { config: secret, doing: 'x', tool: 'mongodump' }).message).toContain('cannot use ***');
  });
});

describe('a restore goes', () => {
  const task = config({ dbHost: 'db', dbUser: 'u', dbPassword: 'p', readPreference: 'secondary', toolFolder: '/t' });
  it('to the server of the task, perhaps as somebody else', () => {
    expect(restoreConnection(task, restoreSchema.parse({}))).toMatchObject({
      ...{ dbHost: 'db', dbUser: 'u', dbPassword: 'p', readPreference: 'primary', toolFolder: '/t' },
    });
    const other = restoreConnection(task, restoreSchema.parse({ dbUser: 'w', dbPassword: 'q', program: 'native' }));
    expect(other).toMatchObject({ dbHost: 'db', dbUser: 'w', dbPassword: 'q', program: 'native' });
  });

  it('to another one with nothing of the task but the programs', () => {
    const other = restoreConnection(task, restoreSchema.parse({ uri: 'mongodb://h/' }));
    expect(other).toMatchObject({ uri: 'mongodb://h/', dbUser: '', dbPassword: '', toolFolder: '/t' });
  });

  it('to new names', () => {
    expect([...parseRenames(['a=b', ' c\\=d=e=f ', ''])]).toEqual([
      ['a', 'b'],
      ['c=d', 'e=f'],
    ]);
    expect(restoreSchema.safeParse({ rename: ['a'] }).success).toBe(false);
  });
});

describe('names', () => {
  it('are folders and back', () => {
    for (const name of ['a/b', '%2F', '.', '..', 'users.json', 'dump.archive', 'ü x', 'inventory.json']) {
      const folder = folderName(name);
      expect(folder).not.toContain('/');
      expect(placeOf(Buffer.from(`mongodb/${folder}/dump.archive`)), name).toEqual({ item: 'dump', database: name });
    }
    expect(placeOf(Buffer.from('/mongodb/dump.archive'))).toEqual({ item: 'dump', database: null });
    expect(placeOf(Buffer.from('/mongodb/users.json'))).toEqual({ item: 'users' });
    for (const path of ['/mongodb', '/mysql/a/dump.archive', '/mongodb/a/b/dump.archive', '/mongodb/a/other']) {
      expect(placeOf(Buffer.from(path)), path).toBeNull();
    }
  });

  it('are chosen by name and by pattern', () => {
    const all = ['a', 'ab', 'b'];
    const choose = (databases: string[], excludeDatabases: string[]) =>
      chooseDatabases(all, { databases, excludeDatabases });
    expect(choose([], ['a?'])).toEqual({ names: ['a', 'b'], missing: [] });
    expect(choose(['b', 'no', 'a'], [])).toEqual({ names: ['a', 'b'], missing: ['no'] });
    expect(['b', 'Z', 'ü'].sort(byBytes)).toEqual(['Z', 'b', 'ü']);
  });
});

describe('rights', () => {
  const on = (db: string, ...actions: string[]) => ({ resource: { db, collection: '' }, actions });
  it('that are missing are told, each with what is lost', () => {
    const enough = [on('', 'find', 'listCollections', 'listIndexes')];
    expect(missingRights(enough, 'shop')).toEqual([]);
    expect(missingRights(null, 'shop')).toEqual([]);
    expect(missingRights([on('shop', 'find', 'listCollections'), on('other', 'listIndexes')], 'shop')).toEqual([
      'without the right listIndexes indexes are not seen',
    ]);
    expect(missingRights([{ resource: { anyResource: true }, actions: ['find'] }], 'x')).toHaveLength(2);
  });

  it('of a user for backups are few', () => {
    expect(readOnlyUserStatement([])).toContain('{ role: "backup", db: "admin" }');
    expect(readOnlyUserStatement(['a"b'])).toContain('{ role: "read", db: "a\\"b" }');
  });
});

describe('what goes wrong is told as', () => {
  const place = { config: config({ dbUser: 'u' }), doing: 'read' };
  it.each([
    [18, 'Authentication failed.', 'DATABASE_AUTH'],
    [13, 'not authorized on shop to execute command', 'DATABASE_PERMISSION'],
    [13, 'command find requires authentication', 'DATABASE_AUTH'],
    [11600, 'interrupted at shutdown', 'DATABASE_UNREACHABLE'],
    [2, 'bad value', 'DATABASE_TOOL_FAILED'],
  ])('an error %i of the server: %s', (code, errmsg, expected) => {
    expect(driverError(new MongoServerError({ code, errmsg, message: errmsg }), place).code).toBe(expected);
  });

  it.each([
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unable to verify the first certificate', 'not trusted here'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate', 'signed by itself'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in certificate chain', 'not trusted here'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', `Hostname/IP does not match certificate's altnames`, 'another one'],
    ['CERT_HAS_EXPIRED', 'certificate has expired', 'has expired'],
  ])('a certificate that does not do: %s', (code, message, reason) => {
    const cause = Object.assign(new Error(message), { code });
    const error = new MongoServerSelectionError(message, { servers: new Map() } as never);
    error.cause = cause;
    const told = driverError(error, place);
    expect([told.code, String(told.params.reason)]).toEqual(['DATABASE_TLS', expect.stringContaining(reason)]);
  });

  it.each([
    [
      'could not connect to server: server selection error: x509: certificate signed by unknown authority',
      'DATABASE_TLS',
    ],
    [
      'can\'t create session: unable to authenticate using mechanism "SCRAM-SHA-1": (AuthenticationFailed)',
      'DATABASE_AUTH',
    ],
    ['error: (Unauthorized) not authorized on x', 'DATABASE_PERMISSION'],
    ['could not connect to server: server selection error: connection refused', 'DATABASE_UNREACHABLE'],
    ['error writing data for collection `a.b` to disk: incomplete read of message header: EOF', 'DATABASE_UNREACHABLE'],
    ['restore error: index build failed', 'DATABASE_TOOL_FAILED'],
  ])('what a program says: %s', (text, expected) => {
    const messages = `2026-05-01T00:00:00.000+0000\tdone dumping a.b\n2026-05-01T00:00:00.000+0000\tFailed: ${text}`;
    const error = toolError({ exitCode: 1, signal: null, messages }, { ...place, tool: 'mongodump' });
    expect(error.code).toBe(expected);
    expect(error.message).not.toContain('dumping');
  });

  it('itself, when it is ours already', () => {
    const own = new AppError('CANCELLED');
    expect(driverError(own, place)).toBe(own);
    expect(driverError(new Error('x'), place).code).toBe('INTERNAL');
    const lookup = Object.assign(new Error('querySrv ENOTFOUND x'), { code: 'ENOTFOUND', syscall: 'querySrv' });
    expect(driverError(lookup, place).code).toBe('DATABASE_UNREACHABLE');
    const noSocket = new MongoNetworkError('connect ENOENT /run/none.sock');
    expect(driverError(noSocket, place).code).toBe('DATABASE_UNREACHABLE');
  });
});
