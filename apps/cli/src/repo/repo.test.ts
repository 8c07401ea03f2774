/** `backupx repo …` as a process on repositories in folders: what it prints, its exit codes, and what a stop leaves. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RepoCommands } from '../testing/run-repo.ts';

const repo = new RepoCommands();
const at = repo.at.bind(repo);
const run = repo.run.bind(repo);
const json = repo.json.bind(repo) as typeof repo.json;
const locks = () => repo.files('locks');
const source = at('source');
const content = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * index) % 251));

beforeAll(async () => {
  mkdirSync(path.join(source, 'sub'), { recursive: true });
  writeFileSync(at('wrong'), 'battery staple\n');
  writeFileSync(path.join(source, 'hello.txt'), 'hello');
  writeFileSync(path.join(source, 'sub', 'large'), content);
  expect((await run(['init'])).code).toBe(0);
  expect((await run(['backup', source, '--tag', 'first'])).code).toBe(0);
  writeFileSync(path.join(source, 'hello.txt'), 'hello again');
  expect((await run(['backup', source])).code).toBe(0);
}, 120_000);
afterAll(() => repo.remove());

describe('looking', () => {
  test('snapshots, as a table and as JSON', async () => {
    const table = await run(['snapshots', '--tag', 'first']);
    expect(table.stdout).toMatch(/^ID +TIME +AGE +HOST +TAGS +SIZE +PATHS\n[0-9a-f]{8} .* first .*source\n$/);
    const snapshots = await json<{ tags: string[]; paths: string[] }[]>(['snapshots']);
    expect(snapshots.map(({ tags }) => tags)).toEqual([['first'], []]);
  });

  test('ls, find, diff', async () => {
    expect((await run(['ls', `latest:${source}`])).stdout).toBe(`${source}/sub\n${source}/hello.txt\n`);
    const long = await run(['ls', '-l', '-R', `latest:${source}`]);
    expect(long.stdout).toMatch(/^-rw-r--r-- +3000000 \S+ \S+ .*\/sub\/large$/m);
    const found = await json<{ hits: { size: number; snapshotIds: string[] }[] }>(['find', 'hello.*']);
    expect(found.hits.map(({ size, snapshotIds }) => [size, snapshotIds.length])).toEqual([
      [5, 1],
      [11, 1],
    ]);
    const [first = ''] = (await json<{ id: string }[]>(['snapshots'])).map(({ id }) => id);
    expect((await run(['diff', first.slice(0, 10), 'latest'])).stdout).toContain(`M ${source}/hello.txt\n`);
  });

  test('dump writes bytes and nothing else', async () => {
    const file = await run(['dump', `latest:${source}/sub/large`]);
    expect(file.bytes.equals(content)).toBe(true);
    const zip = await run(['dump', '--format', 'zip', '--output', 'x.zip', `latest:${source}`]);
    expect(zip).toMatchObject({ code: 0, stdout: '' });
    expect(readFileSync(at('x.zip')).subarray(0, 2).toString()).toBe('PK');
    expect((await run(['dump', '-o', 'x.zip', 'latest:/'])).code).toBe(2);
    expect((await run(['dump', '-o', 'y.zip', 'latest:/nope'])).code).toBe(6);
    expect(existsSync(at('y.zip'))).toBe(false);
  });
});

describe('exit codes', () => {
  test.each([
    ['no repository', ['snapshots', '--repo', 'nowhere'], 10],
    ['wrong password', ['snapshots', '--password-file', 'wrong'], 12],
    ['no such snapshot', ['ls', 'ffffffff'], 6],
    ['nothing found', ['find', 'unheard-of'], 6],
    ['a repository that is there already', ['init'], 2],
    ['a REST server that is not there', ['snapshots', '--repo', 'rest:http://127.0.0.1:1/web'], 7],
    [
      'one that is not waited for',
      ['check', '--repo', 'rest:http://127.0.0.1:1/web', '--storage-patience', '100ms'],
      7,
    ],
    ['a time that is none', ['check', '--storage-patience', 'soon'], 2],
    ['no threads at all', ['check', '--threads', '0'], 2],
    ['a niceness above all', ['--nice', '20', 'check'], 2],
    ['no place', ['restore', 'latest'], 2],
    ['neither ids nor a policy', ['forget'], 2],
    ['a share that is none', ['check', '--read-data-subset', '3/2'], 2],
    ['nothing that can be repaired', ['repair', 'everything'], 2],
    ['an unknown verb', ['chekc'], 2],
    ['a secret on the command line', ['snapshots', '--repo', 'rest:https://ann:secret@host/'], 2],
  ])('%s', async (_, args, code) => {
    const result = await run(args);
    expect(result.code, result.stderr).toBe(code);
    expect(result.stderr).not.toContain('    at ');
  });

  test('no address at all says what to do', async () => {
    const result = await run(['snapshots'], { BACKUPX_REPO: '' });
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('BACKUPX_REPO');
  });
});

describe('stopping', () => {
  test('Ctrl-C cancels the job and leaves neither lock nor temporary files', async () => {
    const child = await repo.startHolding(['backup', '/usr']);
    const closed = once(child, 'close');
    child.kill('SIGINT');
    expect((await closed)[0]).toBe(130);
    expect(locks()).toEqual([]);
    expect(readdirSync(at('temp')).filter((name) => name.startsWith('backupx'))).toEqual([]);
  }, 120_000);

  test('a reader that has seen enough is no failure, and leaves no lock', async () => {
    const child = repo.start(['dump', 'latest', '--format', 'tar']);
    const closed = once(child, 'close');
    child.stdout?.once('data', () => child.stdout?.destroy());
    expect((await closed)[0]).toBe(0);
    expect(locks()).toEqual([]);
  });
});

describe('the rest of the round', () => {
  test('restore, check, forget, prune, copy', async () => {
    expect((await run(['restore', `latest:${source}/sub`, '--target', 'back'])).code).toBe(0);
    expect(readFileSync(at('back', 'sub', 'large')).equals(content)).toBe(true);
    expect((await run(['check', '--read-data'])).stderr).toContain('2 snapshots can be restored whole');
    const dry = await json<{ removed: unknown[] }>(['forget', '--keep-last', '1', '--dry-run']);
    expect(dry.removed).toHaveLength(1);
    expect(await json<unknown[]>(['snapshots'])).toHaveLength(2);
    const repacked = async (...limit: string[]) => {
      const result = await json<{ packsRepacked: number }>(['prune', '--max-unused', '0', '--dry-run', ...limit]);
      return result.packsRepacked;
    };
    expect((await run(['forget', '--keep-last', '1'])).code).toBe(0);
    expect(await repacked('--max-repack', '0')).toBe(0);
    expect(await repacked('--max-repack', '1T')).toBe(await repacked());
    expect(await repacked()).toBeGreaterThan(0);
    expect((await run(['forget', '--keep-last', '1', '--prune'])).code).toBe(0);
    expect(
      (await run(['init', '--repo', 'copy', '--from-repo', 'repo', '--from-password-file', 'password'])).code,
    ).toBe(0);
    const from = ['--from-repo', 'repo', '--from-password-file', 'password'];
    const copied = await json<{ copied: unknown[] }>(['copy', '--repo', 'copy', ...from]);
    expect(copied.copied).toHaveLength(1);
  }, 120_000);

  test('keys: a further password opens, a removed one does not', async () => {
    writeFileSync(at('second'), 'second\n');
    const { addedId } = await json<{ addedId: string }>(['key', 'add', '--new-password-file', 'second']);
    expect((await run(['snapshots', '--password-file', 'second'])).code).toBe(0);
    expect((await run(['key', 'remove', addedId])).code).toBe(0);
    expect((await run(['snapshots', '--password-file', 'second'])).code).toBe(12);
  });

  test('the kit holds address, id and password, for its owner only', async () => {
    expect((await run(['kit', '--output', 'kit.txt'])).code).toBe(0);
    const text = readFileSync(at('kit.txt'), 'utf8');
    for (const part of [at('repo'), 'correct horse', 'restic -r']) expect(text).toContain(part);
  });

  test('a comparison goes on past a damaged folder, and ends with 8', async () => {
    const fresh = ['--repo', 'compared'];
    expect((await run(['init', ...fresh])).code).toBe(0);
    const packs = () =>
      readdirSync(at('compared'), { recursive: true, withFileTypes: true })
        .filter((item) => item.isFile())
        .map((item) => path.join(item.parentPath, item.name))
        .filter((file) => file.startsWith(at('compared', 'data')));
    let before = new Set<string>();
    for (const [name, text] of [
      ['same', '1'],
      ['seen', '2'],
      ['seen', '33'],
    ] as const) {
      mkdirSync(at('pair', name), { recursive: true });
      writeFileSync(at('pair', name, 'f'), text);
      before = new Set(packs());
      expect((await run(['backup', at('pair'), ...fresh])).code).toBe(0);
    }
    const ids = (await json<{ id: string }[]>(['snapshots', ...fresh])).map(({ id }) => id);
    const [first = '', second = '', third = ''] = ids;
    expect((await run(['diff', second, third, ...fresh])).code).toBe(0);
    // All that the last backup stored: which of its packs has the top folder is left to chance.
    for (const pack of packs().filter((one) => !before.has(one))) rmSync(pack);
    const damaged = await run(['diff', second, third, ...fresh]);
    expect(damaged).toMatchObject({ code: 8, stdout: '' });
    expect(damaged.stderr).toContain(`Not compared in ${third.slice(0, 8)}: /. The repository is damaged`);
    const asJson = await run(['diff', second, third, ...fresh, '--json']);
    expect(asJson.code).toBe(8);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ changes: [], unread: [{ path: '', snapshotIds: [third] }] });
    expect((await run(['diff', first, second, ...fresh])).code).toBe(0);
  }, 120_000);

  test('damage ends with 8', async () => {
    const pack = readdirSync(at('repo', 'data'), { recursive: true, withFileTypes: true }).find((item) =>
      item.isFile(),
    );
    if (!pack) throw new Error('no pack');
    rmSync(path.join(pack.parentPath, pack.name));
    expect((await run(['check'])).code).toBe(8);
  });
});
