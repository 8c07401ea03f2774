import { hash } from 'node:crypto';
import { ID_BYTES } from '../format/blob-id.ts';
import { BlobOpener, MAX_BATCHED_BYTES } from '../format/blob-opener.ts';
import type { MasterKey } from '../format/master-key.ts';
import { createSealedBox, SEAL_OVERHEAD, type SealedBox } from '../format/sealed-box.ts';
import { decompressInto } from '../format/zstd.ts';

/** Numbers per blob: where its sealed bytes lie and how many, plain length as in the index, where its content goes. */
export const DECODE_ROW = 4;

/** Sealed blobs and places for their content, as offsets in the decoder's memory. */
export interface DecodeTask {
  readonly rows: Uint32Array;
  /** 32 bytes per blob. */
  readonly ids: Uint8Array;
}

/** Opens, decompresses and verifies blobs inside one memory, with next to no memory of its own. For one thread. */
export class BlobDecoder {
  readonly #box: SealedBox;
  readonly #opener: BlobOpener;
  readonly #memory: Uint8Array;
  #frame = new Uint8Array(64 * 1024);

  constructor(masterKey: MasterKey, memory: SharedArrayBuffer) {
    this.#box = createSealedBox(masterKey);
    this.#opener = new BlobOpener(masterKey);
    this.#memory = new Uint8Array(memory);
  }

  /** Answers 1 for each blob whose content is in its place, 0 for the damaged ones. */
  decode(task: DecodeTask): Uint8Array {
    const { rows } = task;
    const running = new RunningTask(task);
    for (let number = 0, row = 0; row < rows.length; number += 1, row += DECODE_ROW) {
      const sealedAt = rows[row] ?? 0;
      const sealed = this.#memory.subarray(sealedAt, sealedAt + (rows[row + 1] ?? 0));
      if (sealed.byteLength > MAX_BATCHED_BYTES) this.#decodeAlone(sealed, number, running);
      else if (this.#opener.add(sealed)) running.gathered.push(number);
      else {
        this.#decodeGathered(running);
        this.#opener.add(sealed);
        running.gathered.push(number);
      }
    }
    this.#decodeGathered(running);
    return running.isGood;
  }

  #decodeGathered(running: RunningTask): void {
    let next = 0;
    this.#opener.openAll((opened) => {
      const number = running.gathered[next] ?? 0;
      next += 1;
      if (opened) this.#verify(opened, number, running);
    });
    running.gathered.length = 0;
  }

  #decodeAlone(sealed: Uint8Array, number: number, running: RunningTask): void {
    const plainLength = running.task.rows[number * DECODE_ROW + 2] ?? 0;
    const openedLength = sealed.byteLength - SEAL_OVERHEAD;
    try {
      // What is not compressed goes straight to its place.
      const opened = plainLength === 0 ? this.#placeOf(number, openedLength, running) : this.#frameOf(openedLength);
      this.#box.openInto(sealed, opened);
      this.#verify(opened, number, running);
    } catch {
      // Who asked looks closer at it.
    }
  }

  /** Puts the content of an opened blob in its place, unless it is there, and notes whether it is what its id says. */
  #verify(opened: Uint8Array, number: number, running: RunningTask): void {
    const { rows } = running.task;
    const plainLength = rows[number * DECODE_ROW + 2] ?? 0;
    const place = this.#placeOf(number, plainLength || opened.byteLength, running);
    let written = opened.byteLength;
    try {
      if (plainLength > 0) written = decompressInto(opened, place);
      else if (opened.buffer !== place.buffer) place.set(opened);
      if (hash('sha256', place.subarray(0, written), 'binary') === running.idOf(number)) running.isGood[number] = 1;
    } catch {
      // Who asked looks closer at it.
    }
  }

  #placeOf(number: number, length: number, { task }: RunningTask): Uint8Array {
    const at = task.rows[number * DECODE_ROW + 3] ?? 0;
    return this.#memory.subarray(at, at + length);
  }

  #frameOf(length: number): Uint8Array {
    if (length > this.#frame.byteLength) this.#frame = new Uint8Array(2 * length);
    return this.#frame.subarray(0, length);
  }
}

class RunningTask {
  readonly task: DecodeTask;
  readonly isGood: Uint8Array;
  /** Numbers of the blobs that wait to be opened together. */
  readonly gathered: number[] = [];
  /** One character per byte, in one text: buffers for hashes would be most of the garbage. */
  readonly #ids: string;

  constructor(task: DecodeTask) {
    const { buffer, byteOffset, byteLength } = task.ids;
    this.task = task;
    this.isGood = new Uint8Array(task.rows.length / DECODE_ROW);
    this.#ids = Buffer.from(buffer, byteOffset, byteLength).toString('latin1');
  }

  idOf(number: number): string {
    return this.#ids.slice(number * ID_BYTES, (number + 1) * ID_BYTES);
  }
}
