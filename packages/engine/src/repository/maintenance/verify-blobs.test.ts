import { expect, it } from 'vitest';
import { createMemoryStorage } from '../../testing/memory-storage.ts';
import { BlobIndex } from '../blob-index.ts';
import { hashOf } from '../format/blob-id.ts';
import { loadIndex } from '../load-index.ts';
import { PackTable } from './pack-table.ts';
import { backup, makeRepository, textOf } from './small-repository.ts';
import { type BlobVerifier, createLocalVerifier, createThreadVerifier } from './verify-blobs.ts';

const signal = new AbortController().signal;

async function verifyIn(verifier: BlobVerifier, bytes: Uint8Array, entries: readonly number[]): Promise<number[]> {
  const room = await verifier.takeRoom(bytes.byteLength);
  room.bytes.set(bytes);
  const bad = await verifier.verify({ start: 0, bytes: room.bytes, entries, room });
  verifier.giveRoom(room);
  return bad.sort((a, b) => a - b);
}

it('finds the same damaged blobs in threads as in this one', async () => {
  const repository = await makeRepository(createMemoryStorage());
  await backup(repository, { a: textOf('a', 30), b: 'short', 'c/d': textOf('d', 5) });
  const index = await loadIndex(repository, { signal });
  const table = new PackTable(index);
  const options = { repository, index, threads: 2 };
  const [local, threads] = [createLocalVerifier(options), createThreadVerifier(options)];
  try {
    const running: Promise<void>[] = [];
    let damaged = 0;
    for (let pack = 0; pack < table.count; pack += 1) {
      const whole = await repository.readPack(table.hexOf(pack), null, signal);
      const entries = [...table.entriesOf(pack)];
      // Whole, then with a bit flipped here and there, then cut.
      for (let at = -1; at < whole.byteLength + 400; at += 173) {
        const bytes = Buffer.from(at < whole.byteLength ? whole : whole.subarray(0, (at - whole.byteLength) * 3));
        if (at >= 0 && at < whole.byteLength) bytes[at] = (bytes[at] ?? 0) ^ 4;
        const expected = await verifyIn(local, bytes, entries);
        if (at === -1) expect(expected).toEqual([]);
        damaged += expected.length;
        running.push(verifyIn(threads, bytes, entries).then((bad) => expect(bad).toEqual(expected)));
      }
    }
    await Promise.all(running);
    expect(damaged).toBeGreaterThan(10);
  } finally {
    await threads.close();
  }
});

it('finds the damaged among very many small blobs', async () => {
  const repository = await makeRepository(createMemoryStorage());
  const index = new BlobIndex();
  const packNumber = index.addPack(Buffer.alloc(32));
  const boxes: Buffer[] = [];
  let offset = 0;
  for (let number = 0; number < 9000; number += 1) {
    const plain = Buffer.from(`content ${number}`);
    const sealed = repository.box.seal(plain);
    index.add({
      ...{ id: hashOf(plain), type: 'data', packNumber, offset },
      ...{ storedLength: sealed.byteLength, plainLength: 0 },
    });
    boxes.push(sealed);
    offset += sealed.byteLength;
  }
  const bytes = Buffer.concat(boxes);
  const damaged = [0, 1, 511, 512, 513, 1023, 1024, 8191, 8192, 8999];
  for (const entry of damaged) bytes[index.offsetOf(entry) + 20] = (bytes[index.offsetOf(entry) + 20] ?? 0) ^ 1;
  const threads = createThreadVerifier({ repository, index, threads: 2 });
  try {
    const entries = Array.from({ length: index.count }, (_, entry) => entry);
    const parts = await Promise.all([1, 2, 3, 4, 5].map(() => verifyIn(threads, bytes, entries)));
    for (const bad of parts) expect(bad).toEqual(damaged);
  } finally {
    await threads.close();
  }
});
