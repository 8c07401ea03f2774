import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FieldManifest } from '@backupx/contracts/driver-manifest';
import { afterAll, expect, it } from 'vitest';
import { readParameters } from './parameters.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'backupx-parameters-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const field = (name: string, kind: FieldManifest['kind'], secret = false): FieldManifest => ({
  ...{ name, kind, secret, label: name, required: true, advanced: false, multiline: false },
});
const fields = [
  field('bucket', 'text'),
  field('key', 'text', true),
  field('plain', 'boolean'),
  field('port', 'number'),
];

function write(name: string, text: string, mode = 0o600): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

it('reads its own settings and those of the storage, also out of other files', () => {
  const secret = write('secret', 'k=e y#\n');
  const identity = write('identity', '# made today\nAGE-SECRET-KEY-1\n');
  const more = write('more', 'port = 12\nplain = yes\n');
  const file = write(
    'all',
    `# comment\n\nstorage = s3\r\nstorage.bucket=b = c\nstorage.key = @${secret}\nstorage_file = ${more}\nprefix = a/b\nencryption_recipients = age1a, age1b\nencryption_identities = @${identity}\nopen_timeout_seconds = 5\nparallelism = 3\n`,
    0o644,
  );
  expect(readParameters(file, () => fields)).toEqual({
    storage: { type: 's3', config: { bucket: 'b = c', key: 'k=e y#', port: 12, plain: true } },
    prefix: 'a/b',
    recipients: ['age1a', 'age1b'],
    identities: ['AGE-SECRET-KEY-1'],
    compressionLevel: 3,
    parallelism: 3,
    openTimeoutMs: 5000,
    logFile: null,
    recoveryUser: null,
  });
});

it('names every problem', () => {
  const open = write(
    'open',
    'storage = s3\nstorage.key = secret\nstorage.other = 1\nnonsense\nstorage.key = twice\n',
    0o640,
  );
  expect(() => readParameters(open, () => fields)).toThrow(
    /line 4.*line 5.*chmod 600.*other: there is no such setting/s,
  );
  const wrong = write('wrong', 'storage = s3\nprefix = ../x\ncolour = red\n');
  expect(() => readParameters(wrong, () => fields)).toThrow(/prefix.*colour/s);
  expect(() => readParameters(path.join(folder, 'none'), () => fields)).toThrow('ENOENT');
  const keys = write('keys', 'storage = s3\nencryption_identities = AGE-SECRET-KEY-1\n', 0o604);
  expect(() => readParameters(keys, () => fields)).toThrow(/encryption_identities.*chmod 600/);
});
