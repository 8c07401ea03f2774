import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ItemProblem } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackupContext, RestoreContext, RestoreEntry, SourceEntry, VerifyContext } from '../../ports/source.ts';
import { inTreeOrder, originalPathOf } from './entry-paths.ts';
import { findDatabases } from './find-databases.ts';
import { RenameRules } from './rename-rules.ts';
import { sqliteSource } from './sqlite-source.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sqlite-source-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (...names: string[]) => join(folder, ...names);
const settings = (databases: string[], more = {}) => sqliteSource.config.parse({ databases, ...more });

function makeDatabase(path: string, sql = 'CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)'): string {
  mkdirSync(join(path, '..'), { recursive: true });
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
  return path;
}

describe('the files of a task', () => {
  const found = (databases: string[], more = {}) => {
    const { paths, problems } = findDatabases(settings(databases, more));
    return {
      paths: paths.map((path) => path.slice(folder.length + 1)).sort(),
      codes: problems.map(({ code }) => code),
    };
  };

  it('are found by path and by pattern, each once, without what lies beside them', () => {
    for (const name of ['a/x.db', 'a/x.db-wal', 'a/.hidden.db', 'b/x.db', 'b/deep/er/y.db', 'a[1].db', 'orphan-wal']) {
      mkdirSync(join(at(name), '..'), { recursive: true });
      writeFileSync(at(name), '');
    }
    symlinkSync(at('a'), at('link'));
    symlinkSync(folder, at('b', 'circle'));
    expect(found([at('*/x.db')])).toEqual({ paths: ['a/x.db', 'b/x.db'], codes: [] });
    expect(found([at('a/*')])).toEqual({ paths: ['a/x.db'], codes: [] });
    expect(found([at('{a,b/deep/er}/*.db')]).paths).toEqual(['a/x.db', 'b/deep/er/y.db']);
    expect(found([at('**/*.db')]).paths).toEqual(['a/x.db', 'a[1].db', 'b/deep/er/y.db', 'b/x.db']);
    expect(found([at('**/*.db')], { excludeDatabases: [at('a/**'), '**/y.db'] }).paths).toEqual(['a[1].db', 'b/x.db']);
    // A name with characters of patterns is that file.
    expect(found([at('a[1].db')])).toEqual({ paths: ['a[1].db'], codes: [] });
    expect(found([at('orphan-*')]).paths).toEqual(['orphan-wal']);
    expect(found([at('none.db'), at('none/*'), at('a'), at('a/x.db')])).toEqual({
      paths: ['a/x.db'],
      codes: ['vanished', 'vanished', 'unsupported'],
    });
  });

  it('come in the order of trees', () => {
    const sorted = ['/a', '/a/b', '/a/b.c', '/a-b', '/a-b/é', '/a-b/ﬀ'];
    expect(inTreeOrder([...sorted].reverse())).toEqual(sorted);
  });

  it('are told from other things in an artifact', () => {
    const original = (path: string) => originalPathOf(Buffer.from(path));
    expect(['/sqlite', 'sqlite/srv/a.db', '/sqlite/srv/é'].map(original)).toEqual(['', '/srv/a.db', '/srv/é']);
    for (const path of ['/sqlit', '/sqlite/../x', '/sqlite//x', '/sqlitex/a', '/sqlite/a\0', '/sqlite/.']) {
      expect(original(path), path).toBeNull();
    }
    expect(originalPathOf(Buffer.from([0x2f, 0xff]))).toBeNull();
  });
});

describe('the lines of a rename', () => {
  it('are cut where the left side fits, for files and folders', () => {
    const rules = new RenameRules(['/a=/b=/c', '/srv/x/=/tmp/y', ' ', '/never=/used']);
    expect(rules.apply('/a')).toBe('/b=/c');
    expect(rules.apply('/a=/b')).toBe('/c');
    expect(rules.apply('/srv/x/deep/db')).toBe('/tmp/y/deep/db');
    expect(rules.apply('/srv/xx')).toBeNull();
    expect(rules.unused()).toEqual(['/never=/used']);
    for (const wrong of ['a=/b', '/a', '/a=b', '/a=/b/../c']) expect(() => new RenameRules([wrong]), wrong).toThrow();
  });
});

interface Stored {
  readonly entry: SourceEntry;
  readonly bytes: Buffer;
}

async function backup(databases: string[]): Promise<{ stored: Stored[]; problems: ItemProblem[] }> {
  const problems: ItemProblem[] = [];
  const context: BackupContext = {
    signal: new AbortController().signal,
    tempDir: at('temp'),
    problem: (problem) => problems.push(problem),
    log() {},
  };
  const stored: Stored[] = [];
  for await (const entry of sqliteSource.entries(settings(databases), context)) {
    stored.push({ entry, bytes: await read(entry.content) });
  }
  return { stored, problems };
}

async function read(content: SourceEntry['content']): Promise<Buffer> {
  if (content?.kind === 'sync') {
    const bytes = Buffer.alloc(content.sizeBytes);
    for (let done = 0; done < bytes.length; ) done += content.read(bytes, done, bytes.length - done, done);
    content.close();
    return bytes;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of content?.stream ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function verify(stored: readonly Stored[], depth: VerifyContext['depth']) {
  const signal = new AbortController().signal;
  const context: VerifyContext = { signal, tempDir: at('temp'), depth, options: {}, log() {} };
  const verifier = await sqliteSource.openVerifier?.(settings(['/x']), context);
  if (!verifier) throw new Error('there is no verifier');
  for (const { entry, bytes } of stored) {
    async function* content() {
      yield bytes;
    }
    const item: RestoreEntry = { ...entry, sizeBytes: bytes.length, segments: null, content: content() };
    await verifier.write(entry.type === 'file' ? item : { ...item, content: null });
  }
  const checks = await verifier.finish();
  await verifier.close();
  return checks.map(({ name, ok }) => `${name} ${ok ? 'good' : 'bad'}`);
}

describe('a backup', () => {
  it('keeps what a database holds in its inventory, and proves it', async () => {
    const path = makeDatabase(at('one.db'), 'CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES (1), (2)');
    const { stored, problems } = await backup([path]);
    expect(problems).toEqual([]);
    const names = stored.map(({ entry }) => Buffer.from(entry.path).toString());
    expect(names.slice(-2)).toEqual([`/sqlite${path}`, `/sqlite${path}.inventory.json`]);
    const inventory = JSON.parse(stored.at(-1)?.bytes.toString() ?? '');
    expect(inventory.objects).toEqual([
      { kind: 'index', name: 'i' },
      { kind: 'table', name: 't', rows: 2 },
    ]);
    expect(await verify(stored, 'quick')).toEqual(['structure good', 'rows good']);
    expect(await verify(stored, 'deep')).toEqual(['engine good', 'rows good']);
  });

  it('is found not to restore when it is cut, changed or of something else', async () => {
    const path = makeDatabase(
      at('one.db'),
      `CREATE TABLE t(a); CREATE INDEX i ON t(a);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i FROM n`,
    );
    const { stored } = await backup([path]);
    const changed = (bytes: (original: Buffer) => Buffer) =>
      stored.map((item) => (item.entry.content?.kind === 'sync' ? { ...item, bytes: bytes(item.bytes) } : item));
    expect(
      await verify(
        changed((bytes) => bytes.subarray(0, bytes.length - 4096)),
        'quick',
      ),
    ).toContain('structure bad');
    expect(
      await verify(
        changed(() => Buffer.from('no database, but some text of other origin')),
        'quick',
      ),
    ).toEqual(['structure bad', 'rows bad']);
    const other = readFileSync(makeDatabase(at('two.db')));
    expect(
      await verify(
        changed(() => other),
        'deep',
      ),
    ).toEqual(['engine good', 'rows bad']);
  });

  it('takes an empty file for the empty database it is', async () => {
    writeFileSync(at('empty.db'), '');
    const { stored, problems } = await backup([at('empty.db')]);
    expect(problems).toEqual([]);
    expect(await verify(stored, 'deep')).toEqual(['engine good', 'rows good']);
  });

  it('does not take a name that inventories have', async () => {
    const { problems } = await backup([makeDatabase(at('x.inventory.json')), makeDatabase(at('y.db'))]);
    expect(problems).toMatchObject([{ code: 'unreadable', path: at('x.inventory.json') }]);
  });
});

describe('a restore', () => {
  async function restore(stored: readonly Stored[], more: Partial<RestoreContext>) {
    const context: RestoreContext = {
      ...{ signal: new AbortController().signal, targetPath: null, paths: null, overwrite: 'always', options: {} },
      ...{ tempDir: at('temp'), problem() {}, log() {}, progress() {}, ...more },
    };
    const session = await sqliteSource.restore(settings(['/x']), context);
    try {
      for (const { entry, bytes } of stored) {
        async function* content() {
          yield bytes.subarray(0, 4096);
          yield bytes.subarray(4096);
        }
        const isFile = entry.type === 'file';
        await session.write({ ...entry, sizeBytes: bytes.length, segments: null, content: isFile ? content() : null });
      }
      return await session.commit();
    } catch (error) {
      await session.rollback();
      throw error;
    }
  }

  it('writes nothing in a dry run, nor when one of two is damaged or two would get one name', async () => {
    const [one, two] = [makeDatabase(at('one.db')), makeDatabase(at('two.db'))];
    const { stored } = await backup([one, two]);
    rmSync(one);
    const before = readdirSync(folder);
    const options = { replaceExisting: true };
    expect(await restore(stored, { isDryRun: true, options })).toMatchObject({ itemsWritten: 2, bytesWritten: 0 });
    const isTwo = ({ entry }: Stored) => Buffer.from(entry.path).toString() === `/sqlite${two}`;
    const damaged = stored.map((item) => (isTwo(item) ? { ...item, bytes: item.bytes.subarray(0, 4096) } : item));
    await expect(restore(damaged, { options })).rejects.toMatchObject({ code: 'DATABASE_DUMP_DAMAGED' });
    const rename = [`${one}=${two}`];
    await expect(restore(stored, { options: { ...options, rename } })).rejects.toMatchObject({
      code: 'RESTORE_TARGET_INVALID',
    });
    expect(readdirSync(folder)).toEqual(before);
    expect(await restore(stored, { options })).toMatchObject({ itemsWritten: 2 });
    expect(readdirSync(folder).sort()).toEqual(['one.db', 'temp', 'two.db']);
  });

  it('leaves what was there, and nothing of its own, when it is cancelled in the middle of a file', async () => {
    const [one, two] = [makeDatabase(at('one.db')), makeDatabase(at('two.db'))];
    const { stored } = await backup([one, two]);
    writeFileSync(one, '');
    rmSync(two);
    const before = readdirSync(folder);
    const stop = new AbortController();
    let pieces = 0;
    // The first of both is whole by then.
    const progress: RestoreContext['progress'] = ({ bytes }) => {
      pieces += bytes ? 1 : 0;
      if (pieces === 3) stop.abort();
    };
    const more = { signal: stop.signal, progress, options: { replaceExisting: true } };
    await expect(restore(stored, more)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect([readdirSync(folder), readFileSync(one, 'utf8')]).toEqual([before, '']);
  });
});

describe('the test of a task', () => {
  it('lists the databases with what keeps them from being saved', async () => {
    const one = makeDatabase(at('one.db'));
    writeFileSync(at('two.db'), 'x'.repeat(5000));
    const context = { signal: new AbortController().signal, tempDir: folder };
    const answer = await sqliteSource.inspect?.(settings([at('*.db'), at('three')]), context);
    expect(answer).toMatchObject({
      server: `SQLite ${process.versions.sqlite}`,
      databases: [
        { name: one, sizeBytes: 8192 },
        { name: at('two.db'), sizeBytes: 5000 },
      ],
      warnings: [
        expect.stringContaining(`${at('three')}: there is no such file`),
        expect.stringContaining('encrypted'),
      ],
    });
  });
});
