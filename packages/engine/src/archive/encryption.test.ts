import { setImmediate as nextTurn } from 'node:timers/promises';
import { Decrypter } from 'age-encryption';
import { beforeAll, describe, expect, it } from 'vitest';
import { openPayload } from './age-payload.ts';
import { createAgeKey, decryptAge, encryptAge } from './encryption.ts';
import { collect, inChunks, inUsedMemory, neverAborted, noise } from './sample-entries.ts';
import { type OpenPieces, openPiecesNow, sealPiecesNow } from './seal-pieces.ts';

const signal = neverAborted;
const PIECE = 65_536;

let own: { identity: string; recipient: string };
let other: { identity: string; recipient: string };
beforeAll(async () => {
  own = await createAgeKey();
  other = await createAgeKey();
});

const seal = (data: Uint8Array, chunkSize = 100_000) =>
  collect(encryptAge(inChunks(data, chunkSize), [own.recipient], { signal }));
const open = (data: Uint8Array, chunkSize = 100_000, identity = own.identity) =>
  collect(decryptAge(inChunks(data, chunkSize), [identity], { signal }));

describe('age', () => {
  it.each([0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 1_000_003])('brings %i bytes back', async (size) => {
    const data = noise(size);
    for (const chunkSize of [PIECE, 1000, 10_000_000]) {
      const sealed = await seal(data, chunkSize);
      expect((await open(sealed, chunkSize)).equals(data)).toBe(true);
      expect((await open(sealed, 777)).equals(data)).toBe(true);
    }
  });

  it('is what the age package reads', async () => {
    const decrypter = new Decrypter();
    decrypter.addIdentity(own.identity);
    const data = noise(3 * PIECE + 5);
    expect(Buffer.from(await decrypter.decrypt(await seal(data))).equals(data)).toBe(true);
  });

  it('opens with any of several recipients and any of several identities', async () => {
    const sealed = await collect(encryptAge(inChunks(noise(10), 10), [own.recipient, other.recipient], { signal }));
    expect(await open(sealed, 100, other.identity)).toEqual(noise(10));
    const both = [other.identity, own.identity];
    expect(await collect(decryptAge(inChunks(await seal(noise(9)), 10), both, { signal }))).toEqual(noise(9));
  });

  it('tells a wrong key from damage', async () => {
    const sealed = await seal(noise(100));
    await expect(open(sealed, 50, other.identity)).rejects.toMatchObject({ code: 'ARTIFACT_KEY_WRONG' });
    await expect(open(sealed, 50, 'nonsense')).rejects.toMatchObject({ code: 'ARTIFACT_KEY_WRONG' });
    await expect(open(Buffer.from('plain text, not age'))).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
    await expect(open(Buffer.alloc(0))).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
  });

  it('finds truncation at piece borders and elsewhere', async () => {
    const sealed = await seal(noise(3 * PIECE));
    const header = sealed.byteLength - 3 * (PIECE + 16);
    const lengths = [
      10,
      header - 20,
      header - 1,
      header,
      header + 5,
      header + PIECE + 16,
      header + 2 * (PIECE + 16) + 16,
    ];
    for (const length of [...lengths, sealed.byteLength - 1]) {
      await expect(open(sealed.subarray(0, length))).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
    }
  });

  it('finds a flipped byte, swapped pieces and bytes behind the end', async () => {
    const sealed = await seal(noise(3 * PIECE));
    const start = sealed.byteLength - 3 * (PIECE + 16);
    const flipped = Buffer.from(sealed);
    flipped.writeUInt8(flipped.readUInt8(start + 70_000) ^ 1, start + 70_000);
    const [one, two] = [
      sealed.subarray(start, start + PIECE + 16),
      sealed.subarray(start + PIECE + 16, start + 2 * (PIECE + 16)),
    ];
    const swapped = Buffer.concat([sealed.subarray(0, start), two, one, sealed.subarray(start + 2 * (PIECE + 16))]);
    for (const damaged of [flipped, swapped, Buffer.concat([sealed, Buffer.from('x')])]) {
      await expect(open(damaged)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
    }
  });

  it('opens pieces elsewhere, and in memory that it uses again', async () => {
    const data = noise(5 * PIECE + 3);
    const sealed = await seal(data);
    let groups = 0;
    const openPieces: OpenPieces = async (group, output) => {
      groups += 1;
      await nextTurn();
      return openPiecesNow(group, output);
    };
    const openWith = (bytes: Uint8Array, chunkSize: number) =>
      collect(decryptAge(inUsedMemory(bytes, chunkSize), [own.identity], { signal, openPieces, isUsedAtOnce: true }));
    for (const chunkSize of [1000, 3 * PIECE, 10 * PIECE]) {
      expect((await openWith(sealed, chunkSize)).equals(data)).toBe(true);
    }
    expect(groups).toBeGreaterThanOrEqual(3);
    const flipped = Buffer.from(sealed);
    flipped.writeUInt8(flipped.readUInt8(sealed.byteLength - 2 * PIECE) ^ 1, sealed.byteLength - 2 * PIECE);
    await expect(openWith(flipped, 100_000)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
  });

  it('leaves chunks alone when it is not told that they are used at once', async () => {
    const data = noise(40 * PIECE);
    const kept: Uint8Array[] = [];
    for await (const chunk of decryptAge(inChunks(await seal(data), PIECE), [own.identity], { signal }))
      kept.push(chunk);
    expect(Buffer.concat(kept).equals(data)).toBe(true);
  });

  it('refuses an empty piece behind others', async () => {
    const key = new Uint8Array(32);
    const sealedBy = (bytes: Uint8Array, firstPiece: number, isLast: boolean) => {
      const output = new Uint8Array(bytes.byteLength + 1000);
      return output.subarray(0, sealPiecesNow({ key, bytes, firstPiece, isLast }, output));
    };
    const empty = sealedBy(new Uint8Array(0), 1, true);
    const read = collect(
      openPayload(inChunks(Buffer.concat([sealedBy(noise(PIECE), 0, false), empty]), 1000), key, { signal }),
    );
    await expect(read).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
    const alone = sealedBy(new Uint8Array(0), 0, true);
    expect((await collect(openPayload(inChunks(alone, 1000), key, { signal }))).byteLength).toBe(0);
  });

  it('does not read a header without end for ever', async () => {
    const endless = Buffer.concat([Buffer.from('age-encryption.org/v1\n'), Buffer.alloc(1_000_000, 'a')]);
    await expect(open(endless, 1000)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
  });

  it('refuses recipients that are none', async () => {
    for (const recipients of [[], ['age1nonsense'], ['ssh-ed25519 AAAA']]) {
      const sealing = collect(encryptAge(inChunks(noise(1), 1), recipients, { signal }));
      await expect(sealing).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    }
  });

  it('uses a fresh key for every stream', async () => {
    expect((await seal(noise(100))).equals(await seal(noise(100)))).toBe(false);
  });
});
