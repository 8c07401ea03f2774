import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../ports/clock.ts';
import type { Storage } from '../../ports/storage.ts';
import { createMemoryStorage } from '../../testing/memory-storage.ts';
import { WalArchiveStore } from '../wal-archive-store.ts';
import { segmentName, segmentNumber } from '../wal-names.ts';
import { type ReceiveOptions, receiveWal } from './receive-wal.ts';
import { Spool } from './spool.ts';

const SIZE = 2 ** 20;
const name = (segment: number) => segmentName(1, segment, SIZE);
let folder: string;
let spool: Spool;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'backupx-receive-'));
  mkdirSync(path.join(folder, 'spool'));
  spool = new Spool(path.join(folder, 'spool'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeSegment(file: string): string {
  const bytes = Buffer.alloc(SIZE, 7);
  bytes.writeUInt16LE(0xd110, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(BigInt(segmentNumber(file, SIZE) * SIZE), 8);
  bytes.writeBigUInt64LE(42n, 24);
  bytes.writeUInt32LE(SIZE, 32);
  writeFileSync(spool.at(file), bytes);
  return spool.at(file);
}

/** A receiver whose program is a script of the shell. */
function receive(storage: Storage, script: string, more: Partial<ReceiveOptions> = {}) {
  const stop = new AbortController();
  const archive = new WalArchiveStore(storage, { prefix: 'p', recipients: [], identities: [], compressionLevel: 3 });
  const server = {
    ...{ label: 'a server', program: '/bin/sh', close: () => {}, lastingFailure: () => null },
    receiveCommand: () => ({ program: '/bin/sh', args: ['-c', script], cwd: spool.path }),
  };
  const options = {
    ...{ archive, spool, spoolLimitBytes: 2 ** 30, secondsForFile: 60, isGapAccepted: false, clock: systemClock },
    ...{ stop: stop.signal, signal: new AbortController().signal, log: () => {}, server, ...more },
  } as unknown as ReceiveOptions;
  return { stop, archive, ended: receiveWal(options) };
}

it('ends receiving when the spool is full, also while the storage takes its time', async () => {
  const memory = createMemoryStorage();
  const [held, mark] = [Promise.withResolvers<void>(), path.join(folder, 'stopped')];
  const slow: Storage = {
    ...{ get: memory.get, stat: memory.stat, list: memory.list, delete: memory.delete },
    put: async (key, body, options) => {
      await held.promise;
      await memory.put(key, body, options);
    },
  };
  writeSegment(name(3));
  // More comes without an end, until it is told to stop.
  const script = `trap 'echo yes >${mark}; exit 0' TERM; while :; do head -c 65536 /dev/zero >>${name(4)}.partial; sleep 0.05; done`;
  const running = receive(slow, script, { spoolLimitBytes: 2 * SIZE });
  await expect.poll(() => statSync(mark, { throwIfNoEntry: false })?.size ?? 0, { timeout: 20_000 }).toBeGreaterThan(0);
  running.stop.abort();
  held.resolve();
  await running.ended;
});

it('archives the beginning of the segment behind which the gap is', async () => {
  const gap = Object.assign(new Error('gone'), { code: 'WAL_GAP' });
  writeSegment(`${name(4)}.partial`);
  const stop = new AbortController();
  const server = {
    ...{ label: 'a server', program: '/bin/sh', close: () => {}, lastingFailure: () => gap },
    receiveCommand: () => ({ program: '/bin/false', args: [] }),
    dropSlot: async () => {},
    createSlot: async () => stop.abort(),
  } as unknown as ReceiveOptions['server'];
  const running = receive(createMemoryStorage(), '', { server, isGapAccepted: true, stop: stop.signal });
  await running.ended;
  const stored = await running.archive.list(new AbortController().signal);
  expect(stored.map((file) => file.name)).toEqual([`${name(4)}.partial`]);
  expect(spool.partials()).toEqual([]);
});

it('stands in for a segment by a file that is there whole or not at all', () => {
  appendFileSync(spool.at('.stand-in'), 'left by a kill');
  expect(spool.isEmpty()).toBe(true);
  spool.standIn(name(3), SIZE);
  expect(readdirSync(spool.path)).toEqual([name(3)]);
  expect([statSync(spool.at(name(3))).size, spool.isStandIn(name(3))]).toEqual([SIZE, true]);
});
