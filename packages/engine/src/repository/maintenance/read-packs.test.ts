import { randomBytes } from 'node:crypto';
import { beforeEach, expect, it } from 'vitest';
import { createMemoryStorage, type MemoryStorage } from '../../testing/memory-storage.ts';
import { hashOf, toHex } from '../format/blob-id.ts';
import { packIndex } from '../format/index-file.ts';
import { type PackEntry, packHeader } from '../format/pack-header.ts';
import { SEAL_OVERHEAD } from '../format/sealed-box.ts';
import { loadIndex } from '../load-index.ts';
import type { Repository } from '../open-repository.ts';
import { dyingStorage, openThrough } from './dying-storage.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import { PackHealth } from './pack-health.ts';
import { PackTable } from './pack-table.ts';
import { ProblemLog } from './problem-log.ts';
import { verifyPacks } from './read-packs.ts';
import { backup, makeRepository, textOf, workOn } from './small-repository.ts';
import { listStoredPacks } from './stored-packs.ts';
import { MAX_SLOT_PART_BYTES } from './verify-blobs.ts';

const signal = new AbortController().signal;

let storage: MemoryStorage;
let repository: Repository;

beforeEach(async () => {
  storage = createMemoryStorage();
  repository = await makeRepository(storage);
});

async function healthNow(): Promise<PackHealth> {
  const table = new PackTable(await loadIndex(repository, { signal }));
  return new PackHealth({ table, stored: await listStoredPacks(workOn(repository), table), log: new ProblemLog() });
}

/** What was found in all packs, and the sizes of the reads that it took. */
async function verifyAll(work: MaintenanceWork = workOn(repository)): Promise<{ health: PackHealth; reads: number[] }> {
  const health = await healthNow();
  const reads: number[] = [];
  await verifyPacks({ ...work, onRead: (bytes) => reads.push(bytes) }, health, Array(health.table.count).keys());
  return { health, reads };
}

/** A pack of blobs of so many bytes, sealed ones. */
async function writePack(...sizes: number[]): Promise<void> {
  const entries: PackEntry[] = [];
  const boxes: Buffer[] = [];
  let offset = 0;
  for (const size of sizes) {
    const plain = randomBytes(size - SEAL_OVERHEAD);
    const sealed = repository.box.seal(plain);
    entries.push({ type: 'data', id: hashOf(plain), offset, storedLength: size, plainLength: 0 });
    boxes.push(sealed);
    offset += size;
  }
  const pack = Buffer.concat([...boxes, packHeader(repository.box, entries)]);
  const id = toHex(hashOf(pack));
  storage.objects.set(repository.key('data', id), pack);
  await repository.saveFile('index', packIndex([{ id, entries }]), signal);
}

const MIB = 1024 * 1024;

it('reads a pack in parts of whole blobs, the last with what it says about itself', async () => {
  await writePack(...Array(9).fill(MIB), 5 * MIB, 100, 200);
  const { health, reads } = await verifyAll();
  expect(health.log.problems).toEqual([]);
  const header = (health.table.sizes[0] ?? 0) - 14 * MIB - 300;
  expect(reads.sort((a, b) => a - b)).toEqual([300 + header, MIB, 4 * MIB, 4 * MIB, 5 * MIB]);
});

it('reads what a pack says about itself apart when it does not fit behind the blobs', async () => {
  await writePack(100, MAX_SLOT_PART_BYTES - 40);
  const { health, reads } = await verifyAll();
  expect(health.log.problems).toEqual([]);
  const { table, index } = health;
  const size = table.sizes[0] ?? 0;
  expect(new Set(reads)).toEqual(new Set([100, MAX_SLOT_PART_BYTES - 40, size - MAX_SLOT_PART_BYTES - 60]));

  const key = repository.key('data', table.hexOf(0));
  const whole = storage.objects.get(key) ?? new Uint8Array();
  const flipped = async (at: number) => {
    const bytes = Uint8Array.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    storage.objects.set(key, bytes);
    const { log } = (await verifyAll()).health;
    return log.problems.map(({ message }) => message);
  };
  expect(await flipped(size - 10)).toEqual([
    expect.stringMatching(/not what its name says.*list of blobs cannot be read.*All blobs in it are whole/),
  ]);
  expect(await flipped(index.offsetOf(1) + 20)).toEqual([expect.stringMatching(/Damaged blobs: data [0-9a-f]{64}\.$/)]);
});

it('reads a pack that became much too long in pieces', async () => {
  await backup(repository, { a: textOf('a') });
  const [key = ''] = [...storage.objects.keys()].filter((name) => name.startsWith('data/'));
  storage.objects.set(key, Buffer.concat([storage.objects.get(key) ?? Buffer.alloc(0), Buffer.alloc(50_000_000)]));
  const { health, reads } = await verifyAll();
  expect(reads.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(50_000_000);
  expect(Math.max(...reads)).toBeLessThanOrEqual(2 * MAX_SLOT_PART_BYTES);
  expect(health.log.problems).toMatchObject([
    { object: key, message: expect.stringContaining('not what its name says') },
  ]);
});

it('takes a list of blobs for another that says the same but for one of them', async () => {
  await writePack(100, 200, 300);
  const health = await healthNow();
  const { index } = health;
  const [lengthOf, last] = [index.plainLengthOf.bind(index), index.count - 1];
  index.plainLengthOf = (entry) => (entry === last ? 7 : lengthOf(entry));
  await verifyPacks(workOn(repository), health, [0]);
  expect(health.log.problems[0]?.message).toMatch(/not that of the index/);
});

it('ends at whatever read the storage goes out of reach, and when it is cancelled', async () => {
  for (let number = 0; number < 6; number += 1) await backup(repository, { [`${number}`]: textOf(`${number}`) });
  const { reads } = await verifyAll();
  expect(reads.length).toBeGreaterThan(10);
  for (let diesAt = 0; diesAt < reads.length; diesAt += 1) {
    const mortal = await openThrough(dyingStorage(storage, diesAt), storage, repository.masterKey);
    await expect(verifyAll(workOn(mortal))).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  }
  for (let after = 1; after < reads.length; after += 1) {
    const cancelling = new AbortController();
    let count = 0;
    const onRead = () => {
      count += 1;
      if (count === after) cancelling.abort();
    };
    const work = { ...workOn(repository), signal: cancelling.signal, onRead };
    await expect(verifyPacks(work, await healthNow(), reads.keys())).rejects.toThrow();
  }
});
