/** The chunker's variants and Poly1305 alone, on one core: MB per CPU second, the best of the rounds. */
import { createCipheriv } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  CHUNKER_RESERVED_BYTES,
  createChunker,
  listChunkerVariants,
} from '../packages/engine/src/repository/wasm/chunker.ts';
import { createPoly1305 } from '../packages/engine/src/repository/wasm/poly1305.ts';
import type { BenchOptions } from './bench-options.ts';
import { createSqlDump } from './corpora.ts';
import { describeMachine, formatTable, writeSection } from './results.ts';

/** The polynomial of restic's own tests. */
const polynomial = 0x3da3358b4dc173n;
const dataBytes = 96 * 1024 * 1024;

/** Runs it once to warm up, then `rounds` times. */
function measureSpeed(bytes: number, rounds: number, run: () => void): string {
  let best = 0;
  for (let round = 0; round <= rounds; round++) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    if (round > 0) best = Math.max(best, bytes / (user + system));
  }
  return best.toFixed(0);
}

function chunkerRow(name: string, data: Uint8Array, rounds: number): string[] {
  const speeds = listChunkerVariants().map((variant) => {
    const chunker = createChunker({ polynomial, memoryBytes: CHUNKER_RESERVED_BYTES + data.length, variant });
    chunker.memory.set(data, CHUNKER_RESERVED_BYTES);
    return measureSpeed(data.length, rounds, () => {
      for (let done = 0; done < data.length; ) {
        const rest = data.length - done;
        done += chunker.findCut(CHUNKER_RESERVED_BYTES + done, rest, 0) || rest;
      }
    });
  });
  return [name, ...speeds];
}

function poly1305Row(size: number, rounds: number): string[] {
  const poly1305 = createPoly1305();
  const message = noise(size);
  const key = noise(16);
  const tag = new Uint8Array(16);
  const times = Math.ceil(dataBytes / size);
  const speed = measureSpeed(size * times, rounds, () => {
    for (let i = 0; i < times; i++) poly1305.mac(key, key, message, tag);
  });
  return [`${size} bytes`, speed];
}

/** The same bytes every time. */
function noise(length: number): Uint8Array {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** Prints two tables; with `isWriting` they go into docs/benchmarks.md too. */
export async function benchChunker(options: BenchOptions): Promise<void> {
  const work = path.join(options.workFolder ?? tmpdir(), 'backupx-bench');
  mkdirSync(work, { recursive: true });
  const dump = path.join(createSqlDump(work, 0.2).folder, 'dump.sql');
  const chunkers = [
    chunkerRow('random', noise(dataBytes), options.rounds),
    chunkerRow('program (Node)', readFileSync(process.execPath).subarray(0, dataBytes), options.rounds),
    chunkerRow('SQL dump', readFileSync(dump).subarray(0, dataBytes), options.rounds),
  ];
  const macs = [8192, 65_536, 1024 * 1024].map((size) => poly1305Row(size, options.rounds));
  const text = `Machine: ${describeMachine()}. MB per CPU second on one core, best of ${options.rounds} rounds.

### Chunker

${formatTable(['data', ...listChunkerVariants()], chunkers, 1)}

### Poly1305

${formatTable(['message', 'MB/s'], macs, 1)}
`;
  console.log(text);
  if (options.isWriting) writeSection('chunker', text);
}
