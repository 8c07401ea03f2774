import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { afterAll, expect, test } from 'vitest';
import { parseRepositoryAddress } from './repository-address.ts';
import { parseSnapshotPlace } from './snapshot-place.ts';

const dir = mkdtempSync(path.join(tmpdir(), 'backupx-address-'));
afterAll(() => rmSync(dir, { recursive: true }));

const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_DEFAULT_REGION: 'eu-central-1' };
const parse = (address: string, more: Partial<Parameters<typeof parseRepositoryAddress>[1]> = {}) =>
  parseRepositoryAddress(address, { environment: keys, isTyped: true, ...more });

function write(name: string, text: string): string {
  writeFileSync(path.join(dir, name), text);
  return path.join(dir, name);
}

test('a folder, absolute or not', () => {
  expect(parse('/mnt/backup/web/')).toMatchObject({
    target: { type: 'local_disk', config: { basePath: '/mnt/backup/web' } },
    prefix: '',
  });
  expect(parse('web').target.config).toEqual({ basePath: path.resolve('web') });
});

test('a bucket, with keys from the environment or a file', () => {
  const place = parse('s3:https://host:9000/bucket/a%20b/web/');
  expect(place).toMatchObject({ prefix: 'a b/web', target: { type: 's3', name: 's3:https://host:9000/bucket' } });
  expect(place.target.config).toEqual({
    endpoint: 'https://host:9000',
    bucket: 'bucket',
    forcePathStyle: true,
    accessKeyId: 'id',
    secretAccessKey: 'secret',
    region: 'eu-central-1',
  });
  expect(parse('s3:s3.amazonaws.com/bucket').target.config.endpoint).toBe('https://s3.amazonaws.com');
  const credentialsFile = write('keys.yaml', 'accessKeyId: other\nsecretAccessKey: hidden\n');
  expect(parse('s3:http://host/b', { credentialsFile }).target.config).toMatchObject({
    accessKeyId: 'other',
    secretAccessKey: 'hidden',
  });
});

test('a REST server; the password is not part of what is shown', () => {
  const environment = { RESTIC_REST_USERNAME: 'ann', RESTIC_REST_PASSWORD: 'secret' };
  expect(parse('rest:https://host:8000/web', { environment })).toMatchObject({
    prefix: '',
    target: {
      type: 'rest',
      name: 'rest:https://host:8000/web/',
      config: { url: 'https://host:8000/web/', user: 'ann', password: 'secret' },
    },
  });
  const inside = parse('rest:http://bob:p%40s%@host/', { isTyped: false });
  expect(inside.target.config).toEqual({ url: 'http://host/', user: 'bob', password: 'p@s%' });
  expect(JSON.stringify(inside.target.name)).not.toContain('p@s%');
});

test('a file that names any storage', () => {
  const file = write(
    'place.json',
    JSON.stringify({ type: 'webdav', config: { endpoint: 'https://x' }, prefix: '/a/b/' }),
  );
  expect(parse(file)).toMatchObject({ prefix: 'a/b', target: { type: 'webdav', config: { endpoint: 'https://x' } } });
  for (const [name, text] of [
    ['broken.yaml', '{'],
    ['other.yaml', 'hello'],
  ] as const) {
    const broken = write(name, text);
    expect(() => parse(broken)).toThrow(broken);
  }
});

test.each([
  ['', 'empty'],
  ['sftp:host:/x', 'sftp: is no kind'],
  ['s3:https://host', 'names no bucket'],
  ['s3:https://id:key@host/bucket', 'do not belong'],
  ['s3:ftp://host/bucket', 'must look like'],
  ['rest:host/path', 'must look like'],
  ['rest:https://ann:secret@host/', 'does not belong on the command line'],
  ['rest:https://host/?x=1', 'no place'],
])('%s is refused', (address, reason) => {
  let failure: unknown;
  try {
    parse(address);
  } catch (error) {
    failure = error;
  }
  expect(failure).toBeInstanceOf(AppError);
  expect((failure as AppError).fields[0]?.message).toContain(reason);
});

test('a bucket without keys is refused', () => {
  expect(() => parse('s3:https://host/bucket', { environment: {} })).toThrow('not valid');
});

test('a snapshot and a place in it', () => {
  expect(parseSnapshotPlace('latest')).toEqual({ snapshotId: 'latest', path: null });
  expect(parseSnapshotPlace('3f2a:/srv/a:b/')).toEqual({ snapshotId: '3f2a', path: '/srv/a:b' });
  expect(parseSnapshotPlace('3f2a:/')).toEqual({ snapshotId: '3f2a', path: null });
});
