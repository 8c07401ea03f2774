import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packLock, parseLock } from './lock-file.ts';
import { packSnapshot, parseSnapshot, type Snapshot } from './snapshot-file.ts';

const ID = 'ab'.repeat(32);
/** As restic 0.18 wrote it. */
const THEIRS =
  '{"time":"2026-11-25T14:27:17.543210987+01:00","parent":"1111111111111111111111111111111111111111111111111111111111111111","tree":"2222222222222222222222222222222222222222222222222222222222222222","paths":["/srv/a \\u0026 b"],"hostname":"vm","username":"root","uid":1000,"gid":1000,"excludes":["*.zzz"],"tags":["a","b"],"program_version":"restic 0.18.1","summary":{"backup_start":"2026-11-25T14:27:17.5Z","backup_end":"2026-11-25T14:27:18.6Z","files_new":38,"files_changed":0,"files_unmodified":1,"dirs_new":6,"dirs_changed":2,"dirs_unmodified":3,"data_blobs":41,"tree_blobs":7,"data_added":5017600,"data_added_packed":5008000,"total_files_processed":38,"total_bytes_processed":5000400}}';

const bare: Omit<Snapshot, 'id'> = {
  time: '2026-01-01T00:00:00Z',
  tree: ID,
  ...{ parent: null, original: null, paths: ['/'], hostname: '', username: '', uid: 0, gid: 0 },
  ...{ excludes: [], tags: [], programVersion: '', summary: null },
};

const text = fc.string({ unit: 'binary', maxLength: 10 });
const hexId = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const count = fc.maxSafeNat();
const date = fc
  .date({ min: new Date(0), noInvalidDate: true, max: new Date('2200-01-01') })
  .map((at) => at.toISOString());
const snapshot: fc.Arbitrary<Omit<Snapshot, 'id'>> = fc.record({
  ...{ time: date, tree: hexId, parent: fc.option(hexId), original: fc.option(hexId) },
  ...{ paths: fc.array(text), hostname: text, username: text, uid: fc.nat(), gid: fc.nat() },
  ...{ excludes: fc.array(text), tags: fc.array(text), programVersion: text },
  summary: fc.option(
    fc.record({
      ...{ backupStart: date, backupEnd: date, filesNew: count, filesChanged: count, filesUnmodified: count },
      ...{ dirsNew: count, dirsChanged: count, dirsUnmodified: count, dataBlobs: count, treeBlobs: count },
      ...{ dataAdded: count, dataAddedPacked: count, totalFilesProcessed: count, totalBytesProcessed: count },
    }),
  ),
});

const damaged = expect.objectContaining({ code: 'REPOSITORY_DAMAGED' });

describe('snapshot file', () => {
  it('is byte for byte what restic writes', () => {
    const read = parseSnapshot(ID, Buffer.from(THEIRS));
    expect(read).toMatchObject({ id: ID, paths: ['/srv/a & b'], summary: { filesNew: 38, dataAddedPacked: 5008000 } });
    expect(packSnapshot(read).toString()).toBe(THEIRS);
    expect(packSnapshot(bare).toString()).toBe(`{"time":"2026-01-01T00:00:00Z","tree":"${ID}","paths":["/"]}`);
  });

  it('goes through its JSON', () => {
    fc.assert(
      fc.property(snapshot, (value) => {
        expect(parseSnapshot(ID, packSnapshot(value))).toEqual({ id: ID, ...value });
      }),
    );
  });

  it('keeps fields it does not know', () => {
    const json = `{"time":"2026-01-01T00:00:00Z","tree":"${ID}","paths":null,"description":"x","delete":{"after":[1]}}`;
    const read = parseSnapshot(ID, Buffer.from(json));
    expect(read.paths).toEqual([]);
    expect(JSON.parse(packSnapshot({ ...read, tags: ['new'] }).toString())).toMatchObject({
      description: 'x',
      delete: { after: [1] },
      tags: ['new'],
    });
  });

  it.each([
    'x',
    '{}',
    `{"time":"now","tree":"${ID}"}`,
    '{"time":"2026-01-01T00:00:00Z","tree":"short"}',
    '{"time":"2026-01-01T00:00:00Z","tree":null}',
    `{"time":"2026-01-01T00:00:00Z","tree":"${ID}","paths":[1]}`,
  ])('refuses %s', (json) => {
    expect(() => parseSnapshot(ID, Buffer.from(json))).toThrow(damaged);
  });
});

describe('lock file', () => {
  it('goes through its JSON, with fields left out as restic leaves them out', () => {
    const lock = {
      time: '2026-01-01T00:00:00Z',
      exclusive: true,
      hostname: 'h<',
      username: 'u',
      pid: 7,
      uid: 0,
      gid: 5,
    };
    expect(parseLock(packLock(lock))).toEqual(lock);
    expect(packLock(lock).toString()).toBe(
      '{"time":"2026-01-01T00:00:00Z","exclusive":true,"hostname":"h\\u003c","username":"u","pid":7,"gid":5}',
    );
  });

  it('refuses what is none', () => {
    for (const json of ['', 'null', '{}', '{"time":5}']) {
      expect(() => parseLock(Buffer.from(json))).toThrow(damaged);
    }
  });
});
