import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashOf, toHex } from '../format/blob-id.ts';
import { compressedPart, plainBytesOf, plainPart } from '../tree-part.ts';
import { type Chunker, MAX_CHUNK, MIN_CHUNK } from '../wasm/chunker.ts';
import { ContentCutter } from './content-cutter.ts';
import { BLOB_LEAD, BLOB_ROW, gapAfter, SLOT_BYTES } from './slot-memory.ts';

const SLOTS = 3;

/** Cuts wherever a 16-bit word at a multiple of 4096 has its low bits clear; simple enough to check by eye. */
function fakeChunker(memory: Uint8Array): Chunker {
  return {
    memory,
    findCut(start, have) {
      for (let length = MIN_CHUNK; length <= Math.min(have, MAX_CHUNK); length += 4096) {
        if (((memory[start + length - 1] ?? 0) & 0x3f) === 0) return length;
      }
      return have >= MAX_CHUNK ? MAX_CHUNK : 0;
    },
  };
}

function expectedChunks(bytes: Uint8Array): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const rest = bytes.subarray(at);
    const length = fakeChunker(rest).findCut(0, rest.byteLength, 0) || rest.byteLength;
    chunks.push(Buffer.from(rest.subarray(0, length)));
    at += length;
  }
  return chunks;
}

/** A cutter whose slots are emptied at once; remembers every blob that came out. */
function createCut() {
  const memory = new Uint8Array(SLOTS * SLOT_BYTES);
  const stored = new Map<string, Buffer>();
  const sent: number[] = [];
  const known = new Set<string>();
  let next = 0;
  const cutter = new ContentCutter({
    chunker: fakeChunker(memory),
    slotStart: (slot) => slot * SLOT_BYTES,
    takeSlot: () => next++ % SLOTS,
    isNew(id) {
      const isNew = !known.has(toHex(id));
      known.add(toHex(id));
      return isNew;
    },
    sendSlot(slot, rows, ids) {
      let freeFrom = slot * SLOT_BYTES;
      for (let blob = 0; blob * BLOB_ROW < rows.length; blob += 1) {
        const [at = 0, length = 0] = rows.subarray(blob * BLOB_ROW);
        expect(at - BLOB_LEAD).toBeGreaterThanOrEqual(freeFrom);
        freeFrom = at + length + gapAfter(length) - BLOB_LEAD;
        stored.set(toHex(ids.subarray(blob * 32, blob * 32 + 32)), Buffer.from(memory.subarray(at, at + length)));
      }
      expect(freeFrom).toBeLessThanOrEqual((slot + 1) * SLOT_BYTES);
      sent.push(rows.length / BLOB_ROW);
      memory.fill(0xee, slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES);
    },
    sendLarge: (id, parts) => stored.set(toHex(id), Buffer.concat(parts.map(plainBytesOf))),
  });
  return { cutter, stored, sent };
}

function feed(cutter: ContentCutter, bytes: Uint8Array, step: number): Buffer[] {
  for (let at = 0; at < bytes.byteLength; ) {
    const room = cutter.room(Math.min(step, bytes.byteLength - at));
    room.set(bytes.subarray(at, at + room.byteLength));
    cutter.filled(room.byteLength);
    at += room.byteLength;
  }
  return cutter.end();
}

describe('ContentCutter', () => {
  it('gives every content back chunk by chunk, whatever the sizes and steps', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 20_000_000 })), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 60_000, max: 2_000_000 }), (lengths, step) => {
        const { cutter, stored } = createCut();
        const contents = lengths.map((length) => randomBytes(length));
        const ids = contents.map((content) => feed(cutter, content, step));
        cutter.flush();
        for (const [index, content] of contents.entries()) {
          const chunks = (ids[index] ?? []).map((id) => stored.get(toHex(id)) ?? Buffer.alloc(0));
          expect(chunks.map((chunk) => chunk.length)).toEqual(expectedChunks(content).map((chunk) => chunk.length));
          expect(Buffer.concat(chunks).equals(content)).toBe(true);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('sends a slot on when it holds a few megabytes, never within a chunk', () => {
    const { cutter, stored, sent } = createCut();
    for (let file = 0; file < 60; file += 1) feed(cutter, randomBytes(100_000), 100_000);
    expect(sent).toEqual([21, 21]);
    cutter.flush();
    expect(sent).toEqual([21, 21, 18]);
    feed(cutter, Buffer.alloc(5_000_000, 1), 1_000_000);
    expect(sent).toEqual([21, 21, 18, 1]);
    expect(stored.size).toBe(61);
  });

  it('stores a known chunk once and forgets a content that is discarded', () => {
    const { cutter, stored } = createCut();
    const content = randomBytes(3_000_000);
    const first = feed(cutter, content, 500_000);
    cutter.room(100)[0] = 1;
    cutter.filled(100);
    cutter.discard();
    expect(feed(cutter, content, 123_456)).toEqual(first);
    cutter.flush();
    expect(stored.size).toBe(new Set(first.map(toHex)).size);
  });

  it('takes trees of any size', () => {
    const { cutter, stored } = createCut();
    for (const length of [20, SLOT_BYTES - 50_000, SLOT_BYTES, 20_000_000]) {
      const tree = randomBytes(length);
      const parts = [
        plainPart(tree.subarray(0, 15)),
        plainPart(tree.subarray(15, 15)),
        compressedPart(tree.subarray(15)),
      ];
      expect(cutter.addTree(length % 3 === 0 ? [plainPart(tree)] : parts).equals(hashOf(tree))).toBe(true);
      cutter.flush();
      expect(stored.get(toHex(hashOf(tree)))?.equals(tree)).toBe(true);
    }
  });
});
