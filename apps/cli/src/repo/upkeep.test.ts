/** What somebody types whose repository is locked, damaged or unknown to them, or whose password must change. */
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RepoCommands } from '../testing/run-repo.ts';

const repo = new RepoCommands();
const source = repo.at('source');

beforeAll(async () => {
  mkdirSync(source);
  writeFileSync(path.join(source, 'kept'), 'kept');
  await repo.ok(['init']);
  await repo.ok(['backup', source, '--host', 'web']);
  writeFileSync(path.join(source, 'lost'), 'lost');
}, 120_000);
afterAll(() => repo.remove());

test('adopt says what is there, keeps the key to itself and changes nothing', async () => {
  const before = repo.files('.');
  const text = await repo.ok(['adopt']);
  expect(text).toMatch(
    /^Repository [0-9a-f]{8}, format version 2, opens\.\n1 snapshot of 1 host\nnewest: .* on web\n$/,
  );
  const found = await repo.json<{ snapshots: { hostname: string }[]; version: number }>(['adopt']);
  expect(found).toMatchObject({ version: 2, snapshots: [{ hostname: 'web' }] });
  expect(found).not.toHaveProperty('masterKey');
  expect(repo.files('.')).toEqual(before);
}, 120_000);

test('work that needs the repository alone ends with 11 beside other work; unlock removes only what is dead', async () => {
  const child = await repo.startHolding(['backup', '/usr']);
  const closed = once(child, 'close');
  child.kill('SIGSTOP');
  const refused = await repo.run(['prune']);
  expect(refused.code).toBe(11);
  expect(refused.stderr).toContain(`(pid ${child.pid})`);
  expect(await repo.ok(['unlock'])).toMatch(/^left: lock of .*\n$/);
  child.kill('SIGKILL');
  await closed;
  expect(await repo.ok(['unlock'])).toContain(`(its process ${child.pid} is gone)`);
  expect(repo.files('locks')).toEqual([]);
}, 120_000);

test('repair index makes it anew from the packs', async () => {
  const lost = repo.files('index');
  const packs = repo.files('data');
  for (const file of lost) rmSync(file);
  expect((await repo.run(['check'])).code).toBe(8);
  expect(await repo.ok(['repair', 'index', '--dry-run'])).not.toBe('');
  expect(repo.files('index')).toEqual([]);
  expect(await repo.ok(['repair', 'index', '--read-all-packs'])).not.toBe('');
  expect(repo.files('index')).not.toEqual([]);
  expect(repo.files('data')).toEqual(packs);
  await repo.ok(['check', '--read-data']);
}, 120_000);

test('repair snapshots leaves out what is lost and keeps the rest', async () => {
  const before = new Set(repo.files('data'));
  await repo.ok(['backup', source, '--host', 'web']);
  // Folders and contents never share a pack; the one that holds folders is the larger here.
  const added = repo.files('data').filter((file) => !before.has(file));
  const size = (file: string) => readFileSync(file).byteLength;
  const [content = ''] = added.sort((a, b) => size(a) - size(b));
  rmSync(content);
  await repo.ok(['repair', 'index']);
  expect(await repo.ok(['repair', 'snapshots', '--dry-run'])).not.toBe('');
  expect(await repo.json<unknown[]>(['snapshots'])).toHaveLength(2);
  expect(await repo.ok(['repair', 'snapshots', '--forget'])).not.toBe('');
  await repo.ok(['check', '--read-data']);
  await repo.ok(['restore', `latest:${source}`, '--target', 'back']);
  expect(readFileSync(repo.at('back', 'source', 'kept'), 'utf8')).toBe('kept');
  expect(readFileSync(repo.at('back', 'source', 'lost'), 'utf8')).toBe('');
}, 120_000);

test('passwd replaces the password in use', async () => {
  writeFileSync(repo.at('new'), 'new password\n');
  await repo.ok(['key', 'passwd', '--new-password-file', 'new']);
  expect((await repo.run(['key', 'list'])).code).toBe(12);
  // The one in use has a mark.
  expect(await repo.ok(['key', 'list', '--password-file', 'new'])).toMatch(
    /^ +ID +USER +HOST +CREATED\n\* +[0-9a-f]{8} .*\n$/,
  );
}, 120_000);
