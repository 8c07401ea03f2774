/** Forget, prune, repair and copy beside stock restic: the same decisions, and a repository that it finds clean. */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ForgetSnapshotsResult, KeepPolicy, RepositoryAccess } from '@backupx/contracts/jobs';
import { keepPolicySchema } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import { flipBit, namesIn, packPath, removeFile } from '../support/damage.ts';
import { makeNoise } from '../support/make-tree.ts';
import {
  check,
  copyAll,
  createRunner,
  folderOf,
  initJob,
  password,
  pruneJob,
  repair,
  repositoryAt,
  restore,
  snapshotIds,
} from '../support/repository.ts';
import { forEachRestic, type Restic, type ResticRepository, restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('maintenance', { isInMemory: true });
const runner = createRunner(work.at('temp'));
afterAll(async () => {
  await runner.close();
  work.remove();
});

async function expectClean(repository: RepositoryAccess): Promise<void> {
  const { problems } = await check(runner, repository);
  expect(problems.filter(({ level }) => level === 'error')).toEqual([]);
  await restic.open(folderOf(repository), password).mustBeClean();
}

/** Times of snapshots: thick at the end, thin before, over two years and the turn of a week of two years. */
const TIMES = [
  ...[
    '2024-12-29 23:00:00',
    '2024-12-30 01:00:00',
    '2024-12-31 12:00:00',
    '2025-01-01 00:00:00',
    '2025-01-05 23:59:59',
  ],
  ...[
    '2025-03-30 02:30:00',
    '2025-06-01 10:00:00',
    '2025-06-01 10:59:59',
    '2025-06-01 11:00:00',
    '2025-06-30 08:00:00',
  ],
  ...[
    '2026-01-01 00:00:00',
    '2026-01-01 06:00:00',
    '2026-01-02 06:00:00',
    '2026-01-02 06:30:00',
    '2026-01-02 07:00:00',
  ],
];

interface ForgetGroup {
  readonly host: string;
  readonly keep: readonly { readonly id: string }[] | null;
  readonly remove: readonly { readonly id: string }[] | null;
  readonly reasons:
    | readonly { readonly snapshot: { readonly id: string }; readonly matches: readonly string[] }[]
    | null;
}

const POLICIES: readonly Partial<KeepPolicy>[] = [
  { last: 3 },
  { hourly: 4 },
  { daily: 5 },
  { weekly: 4 },
  { weekly: 40 },
  { monthly: 3, yearly: 2 },
  { last: 1, hourly: 2, daily: 3, weekly: 4, monthly: 5, yearly: 6 },
  { withinHours: 25 },
  { withinHours: 24 * 40, yearly: 1 },
  { tags: ['good'], last: 1 },
  { tags: ['good,big', 'odd'], daily: 1 },
];

function flagsOf({ last, hourly, daily, weekly, monthly, yearly, withinHours, tags }: Partial<KeepPolicy>): string[] {
  const counts = { last, hourly, daily, weekly, monthly, yearly };
  return [
    ...Object.entries(counts).flatMap(([name, count]) => (count ? [`--keep-${name}`, String(count)] : [])),
    ...(withinHours ? ['--keep-within', `${withinHours}h`] : []),
    ...(tags ?? []).flatMap((list) => ['--keep-tag', list]),
  ];
}

describe('forget', () => {
  const repository = repositoryAt(work.at('forget'));
  let writer: ResticRepository;

  beforeAll(async () => {
    await runner.run(initJob(repository));
    writer = restic.open(folderOf(repository), password);
    const source = work.at('forget-source');
    mkdirSync(source);
    for (const [at, time] of TIMES.entries()) {
      writeFileSync(path.join(source, 'file'), time);
      const tags = [['good'], ['good', 'big'], ['odd'], []][at % 4] ?? [];
      const host = at % 5 === 4 ? 'other' : 'host';
      // Hours and days are those of the place where the snapshot was made.
      const env = { TZ: at % 3 === 0 ? 'Asia/Tokyo' : 'UTC' };
      await writer.ok(['backup', '--time', time, '--host', host, ...tags.flatMap((tag) => ['--tag', tag]), source], {
        env,
      });
    }
  }, 120_000);

  const ours = async (policy: Partial<KeepPolicy>): Promise<ForgetSnapshotsResult> => {
    const job = { kind: 'forget_snapshots', repository, snapshotIds: null, dryRun: true } as const;
    return await runner.run({ ...job, lockedIds: [], policy: keepPolicySchema.parse(policy) });
  };

  forEachRestic('decides as', (judge: Restic) => {
    it.each(POLICIES.map((policy) => [JSON.stringify(policy), policy] as const))('%s', async (_, policy) => {
      const theirs = await judge
        .open(folderOf(repository), password)
        .json<ForgetGroup>(['forget', '--dry-run', ...flagsOf(policy)]);
      const { kept, removed } = await ours(policy);
      // Since 0.16 restic keeps the oldest snapshot while a counter is not used up.
      const isNews = (reasons: readonly string[]) =>
        !judge.isModern && reasons.every((reason) => /^oldest /.test(reason));
      const news = kept.filter(({ reasons }) => isNews(reasons)).map(({ id }) => id);
      const idsOf = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id).sort();
      expect(idsOf(theirs.flatMap(({ keep }) => keep ?? []))).toEqual(
        idsOf(kept.filter(({ id }) => !news.includes(id))),
      );
      expect(idsOf(theirs.flatMap(({ remove }) => remove ?? []))).toEqual([...idsOf(removed), ...news].sort());
      if (!judge.isModern) return;
      const reasons = theirs
        .flatMap((group) => group.reasons ?? [])
        .map(({ snapshot, matches }) => [snapshot.id, matches]);
      expect(new Map(kept.map((snapshot) => [snapshot.id, wordsOf(snapshot.reasons)]))).toEqual(
        new Map(reasons.map(([id, matches]) => [id, wordsOf(matches as string[])])),
      );
    });
  });
});

/** restic writes 960h as it was given, but spaces lists of tags in its own way. */
function wordsOf(reasons: readonly string[]): string[] {
  return reasons.map((reason) => reason.replaceAll(', ', ',')).sort();
}

describe('old repositories', () => {
  const source = work.at('old-source');
  const old = repositoryAt(work.at('version-1'));
  const theirs = restic.open(folderOf(old), password);

  beforeAll(async () => {
    mkdirSync(path.join(source, 'folder'), { recursive: true });
    await theirs.ok(['init', '--repository-version', '1']);
    for (const turn of [1, 2, 3]) {
      for (const name of ['a', 'folder/b', `folder/${turn}`])
        writeFileSync(path.join(source, name), makeNoise(200_000, turn));
      await theirs.ok(['backup', source]);
    }
    const [first = ''] = await snapshotIds(runner, old);
    await theirs.ok(['forget', first]);
  });

  it('prunes version 1, in which nothing is compressed', async () => {
    await expectClean(old);
    const result = await runner.run(pruneJob(old));
    expect(result.bytesFreed).toBeGreaterThan(0);
    await expectClean(old);
  });

  it('copies version 1 to version 2 and back', async () => {
    const [young, again] = [repositoryAt(work.at('version-2')), repositoryAt(work.at('version-1-again'))];
    await runner.run(initJob(young));
    await restic.open(folderOf(again), password).ok(['init', '--repository-version', '1']);
    for (const [from, to] of [
      [old, young],
      [young, again],
    ] as const) {
      expect((await copyAll(runner, from, to)).copied).toHaveLength(2);
      await expectClean(to);
      expect((await copyAll(runner, from, to)).copied).toEqual([]);
      const out = work.at('out');
      await restore(runner, to, (await snapshotIds(runner, to)).at(-1) ?? '', out);
      expect(compareTrees(source, path.join(out, source))).toEqual([]);
      rmSync(out, { recursive: true });
    }
  });

  it('compresses the folders of version 1 after an upgrade', async () => {
    await theirs.ok(['migrate', 'upgrade_repo_v2']);
    const result = await runner.run(pruneJob(old));
    expect(result.packsRepacked).toBeGreaterThan(0);
    await expectClean(old);
    // Nothing is left that its own prune would do.
    expect(await theirs.ok(['prune', '--dry-run', '--max-unused', '0', '-v'])).not.toMatch(/to repack: +[1-9]/);
  });
});

describe('repair', () => {
  const source = work.at('repair-source');

  /** Two snapshots by stock restic, several packs. */
  async function stockRepository(name: string): Promise<RepositoryAccess> {
    const repository = repositoryAt(work.at(name));
    const theirs = restic.open(folderOf(repository), password);
    await theirs.ok(['init']);
    mkdirSync(path.join(source, 'folder'), { recursive: true });
    for (const turn of [1, 2]) {
      for (let file = 0; file < 6; file += 1) {
        writeFileSync(path.join(source, 'folder', `${file}`), makeNoise(700_000, file === 0 ? turn : file + 10));
      }
      await theirs.ok(['backup', source]);
    }
    return repository;
  }

  it('the index: lost, damaged, or told wrong by a missing pack', async () => {
    const repository = await stockRepository('index');
    const folder = folderOf(repository);
    for (const damage of [flipBit, removeFile]) {
      damage(folder, `index/${namesIn(folder, 'index')[0]}`, 0.5);
      expect((await repair(runner, repository, 'index')).changes).not.toEqual([]);
      await expectClean(repository);
    }
    removeFile(folder, packPath(largestPack(folder)));
    await repair(runner, repository, 'index');
    const { problems } = await check(runner, repository);
    expect(new Set(problems.map(({ code }) => code))).toEqual(new Set(['blob_missing']));
    await repair(runner, repository, 'snapshots');
    await expectClean(repository);
  });

  it('blobs that are damaged, found by reading all packs', async () => {
    const repository = await stockRepository('blobs');
    const folder = folderOf(repository);
    flipBit(folder, packPath(largestPack(folder)), 0.1);
    const job = { kind: 'repair_repository', repository, what: 'index', forget: false, dryRun: false } as const;
    const { changes } = await runner.run({ ...job, readAllPacks: true });
    expect(changes.join('\n')).toMatch(/lost: data [0-9a-f]{64}/);
    expect((await repair(runner, repository, 'snapshots')).newSnapshotIds).not.toEqual([]);
    await runner.run(pruneJob(repository));
    await expectClean(repository);
    expect(await snapshotIds(runner, repository)).toHaveLength(2);
  });
});

function largestPack(folder: string): string {
  const files = readdirSync(path.join(folder, 'data'), { recursive: true, withFileTypes: true });
  const packs = files.filter((file) => file.isFile());
  const sizes = packs.map(({ parentPath, name }) => ({ name, size: statSync(path.join(parentPath, name)).size }));
  return sizes.sort((a, b) => b.size - a.size)[0]?.name ?? '';
}
