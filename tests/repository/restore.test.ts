/** Restores of what stock restic wrote, killed in the middle, run again, over what is there, and from damaged packs. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import { copyFolder, flipBitAt, namesIn, packPath, removeFile } from '../support/damage.ts';
import { makeNoise, makeRareKinds, makeTree } from '../support/make-tree.ts';
import {
  createRunner,
  folderOf,
  password,
  repositoryAt,
  restore,
  restoreJob,
  startJob,
} from '../support/repository.ts';
import { restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('restore', { isInMemory: true });
const runner = createRunner(work.at('temp'));
const repository = repositoryAt(work.at('repository'));
const theirs = restic.open(folderOf(repository), password);
const source = work.at('source');
const out = work.at('out');
const alone = path.join(source, 'alone');
const restored = path.join(out, source);
let id = '';

beforeAll(async () => {
  makeTree(source, { files: 3000 });
  makeRareKinds(path.join(source, 'rare'));
  for (let number = 0; number < 6; number += 1) {
    writeFileSync(path.join(source, `large-${number}`), makeNoise(12_000_000, 50 + number));
  }
  writeFileSync(alone, makeNoise(300_000, 60));
  // The same content in several places, and one file made of the same parts in another order.
  writeFileSync(path.join(source, 'd1', 'copy'), readFileSync(path.join(source, 'large-1')));
  await theirs.ok(['init']);
  await theirs.ok(['backup', source]);
  id = (await theirs.json<{ id: string }>(['snapshots'])).at(-1)?.id ?? '';
});
beforeEach(() => {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
});
afterAll(async () => {
  await runner.close();
  work.remove();
});

const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'latin1' }).filter((name) =>
    statSync(Buffer.from(`${folder}/${name}`, 'latin1'), { throwIfNoEntry: false })?.isFile(),
  );
const temporaryFiles = () => filesIn(out).filter((name) => path.basename(name).startsWith('.backupx-restore-'));

interface IndexedBlob {
  readonly id: string;
  readonly type: string;
  readonly offset: number;
  readonly length: number;
}

interface IndexedPack {
  readonly id: string;
  readonly blobs: readonly IndexedBlob[];
}

/** Those with the fewest blobs first. */
async function dataPacks(): Promise<IndexedPack[]> {
  const indexes = await Promise.all(
    namesIn(folderOf(repository), 'index').map(
      async (name) => JSON.parse(await theirs.ok(['cat', 'index', name])) as { readonly packs: readonly IndexedPack[] },
    ),
  );
  const packs = indexes.flatMap((index) => index.packs).sort((a, b) => a.blobs.length - b.blobs.length);
  return packs.filter(({ blobs }) => blobs.every(({ type }) => type === 'data'));
}

/** Byte in the middle of the only blob of a file below the smallest size of a chunk, and the pack it lies in. */
function placeOf(packs: readonly IndexedPack[], content: Buffer): { pack: string; offset: number } {
  const id = createHash('sha256').update(content).digest('hex');
  for (const pack of packs) {
    const blob = pack.blobs.find((one) => one.id === id);
    if (blob) return { pack: pack.id, offset: blob.offset + (blob.length >> 1) };
  }
  throw new Error('no pack holds this content');
}

/** Kills a restore once it has made so many files; answers whether it was still at work then. */
async function killedAfter(enough: number): Promise<boolean> {
  const child = startJob(restoreJob(repository, id, out), { tempDir: work.at('temp') });
  while (child.process.exitCode === null && filesIn(out).length < enough) await sleep(2);
  await child.kill();
  return child.process.signalCode === 'SIGKILL';
}

describe('killed', () => {
  const rounds = 6;
  it.each(Array.from({ length: rounds }, (_, round) => round))(
    'never leaves a part of a file that looks whole; the next run ends it (round %i)',
    async (round) => {
      // The round says how far it may come. It may be done before anybody looks; the first rounds must be cut short.
      for (let tries = 1; !(await killedAfter(1 + round * 500)) && round < 2; tries += 1) {
        if (tries === 5) throw new Error('the restore is always done before it is killed');
        rmSync(out, { recursive: true });
        mkdirSync(out);
      }
      const made = filesIn(restored).filter((file) => !file.includes('.backupx-restore-'));
      // At most the one file that was being made, which nobody can take for a whole one.
      const isWhole = (name: string) =>
        (statSync(Buffer.from(`${restored}/${name}`, 'latin1')).mode & 0o7777) !== 0o1200;
      const whole = made.filter(isWhole);
      expect(made.length - whole.length).toBeLessThanOrEqual(1);
      for (const name of whole) {
        const [copy, original] = [restored, source].map((folder) =>
          readFileSync(Buffer.from(`${folder}/${name}`, 'latin1')),
        );
        expect(copy?.equals(original ?? Buffer.alloc(0)), name).toBe(true);
      }
      expect(await restore(runner, repository, id, out)).toMatchObject({ status: 'success', problems: [] });
      expect(compareTrees(source, restored)).toEqual([]);
      expect(temporaryFiles()).toEqual([]);
    },
  );
});

describe('over what is there', () => {
  it('brings back what was changed, in every mode as it says', async () => {
    await restore(runner, repository, id, out);
    const changed = path.join(restored, 'large-2');
    const removed = path.join(restored, 'd1', 'e1', 'file-1.txt');
    const damage = () => {
      appendFileSync(changed, 'more');
      rmSync(removed, { force: true });
    };
    damage();
    const dry = await restore(runner, repository, id, out, { dryRun: true });
    expect(dry.bytesWritten).toBe(12_000_000 + statSync(path.join(source, 'd1', 'e1', 'file-1.txt')).size);
    expect(await restore(runner, repository, id, out, { overwrite: 'never' })).toMatchObject({ itemsWritten: 1 });
    expect(statSync(changed).size).toBe(12_000_004);
    damage();
    expect(await restore(runner, repository, id, out, { overwrite: 'if_newer' })).toMatchObject({ itemsWritten: 1 });
    await restore(runner, repository, id, out);
    expect(compareTrees(source, restored)).toEqual([]);
  });
});

describe('onto a full disk', () => {
  const mount = () => spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', out]).status === 0;

  it('ends, says why, and leaves what is whole', async (context) => {
    if (!mount()) {
      context.skip('this user may not mount');
      return;
    }
    try {
      await expect(restore(runner, repository, id, out)).rejects.toMatchObject({
        code: 'RESTORE_TARGET_INVALID',
        params: { reason: 'no space left on the device' },
      });
      expect(temporaryFiles()).toEqual([]);
      const made = filesIn(restored);
      expect(made.length).toBeGreaterThan(0);
      for (const name of made)
        expect(statSync(path.join(restored, name)).size).toBe(statSync(path.join(source, name)).size);
    } finally {
      spawnSync('umount', [out]);
    }
  });
});

describe('from damaged packs', () => {
  it('loses the files in them, says which, and brings the rest', async () => {
    const copy = work.at('damaged');
    copyFolder(folderOf(repository), copy);
    const packs = await dataPacks();
    // A file names the first pack that it misses, so the damaged blob belongs to a file of its own.
    const { pack: flipped, offset } = placeOf(packs, readFileSync(alone));
    const gone = packs.find(({ id: pack }) => pack !== flipped)?.id ?? '';
    removeFile(copy, packPath(gone));
    flipBitAt(copy, packPath(flipped), offset);
    const result = await restore(runner, repositoryAt(copy), id, out);
    expect(result.status).toBe('warning');
    expect(result.problemCount).toBeGreaterThan(0);
    expect(result.problems.every(({ code }) => code === 'unreadable')).toBe(true);
    const lost = result.problems.map((problem) => path.relative(source, problem.path));
    expect(result.problems.some(({ message }) => message.includes(gone))).toBe(true);
    expect(result.problems).toContainEqual(
      expect.objectContaining({ path: alone, message: expect.stringContaining(flipped) as string }),
    );
    const differences = compareTrees(source, restored, { ignore: lost.map((name) => `/${name}`) });
    expect(differences.filter((text) => !text.includes('hard links') && !text.includes('extended'))).toEqual([]);
    for (const name of lost) expect(statSync(path.join(restored, name), { throwIfNoEntry: false })).toBeUndefined();
    expect(temporaryFiles()).toEqual([]);
  });
});
