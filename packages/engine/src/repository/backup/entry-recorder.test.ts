import { createCipheriv, randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import type { SourceEntry, SyncContent } from '../../ports/source.ts';
import { toHex } from '../format/blob-id.ts';
import { parseTree } from '../format/parse-tree.ts';
import type { TreeNode } from '../format/tree-node.ts';
import { plainBytesOf, plainPart } from '../tree-part.ts';
import { CHUNKER_RESERVED_BYTES, createChunker } from '../wasm/chunker.ts';
import { ContentCutter } from './content-cutter.ts';
import { EntryRecorder } from './entry-recorder.ts';
import { ParentWalk } from './parent-walk.ts';
import { BLOB_ROW, SLOT_BYTES } from './slot-memory.ts';

const POLYNOMIAL = 0x3da3358b4dc173n;

/** A recorder whose blobs come out in a map; `parent`: the snapshot it compares with. */
function createRecord(parent?: { readonly root: Uint8Array; readonly blobs: ReadonlyMap<string, Buffer> }) {
  const blobs = new Map<string, Buffer>(parent?.blobs);
  const problems: string[] = [];
  const chunker = createChunker({ polynomial: POLYNOMIAL, memoryBytes: CHUNKER_RESERVED_BYTES + 2 * SLOT_BYTES });
  let slot = 1;
  const cutter = new ContentCutter({
    chunker,
    slotStart: (number) => CHUNKER_RESERVED_BYTES + number * SLOT_BYTES,
    takeSlot: () => {
      slot = 1 - slot;
      return slot;
    },
    isNew: (id) => !blobs.has(toHex(id)),
    sendSlot(_slot, rows, ids) {
      for (let blob = 0; blob * BLOB_ROW < rows.length; blob += 1) {
        const [at = 0, length = 0] = rows.subarray(blob * BLOB_ROW);
        const id = toHex(ids.subarray(blob * 32, blob * 32 + 32));
        blobs.set(id, Buffer.from(chunker.memory.subarray(at, at + length)));
      }
    },
    sendLarge: (id, parts) => blobs.set(toHex(id), Buffer.concat(parts.map(plainBytesOf))),
  });
  const bytesOf = (id: Uint8Array) => blobs.get(toHex(id)) ?? Buffer.alloc(0);
  const recorder = new EntryRecorder({
    cutter,
    parent: new ParentWalk(parent?.root ?? null, (id) => [plainPart(bytesOf(id))]),
    isKnown: (id) => blobs.has(toHex(id)),
    isKnownTree: (id) => blobs.has(toHex(id)),
    onProblem: (problem) => problems.push(`${problem.code} ${problem.path}`),
    onTick() {},
  });
  const nodes = (root: Uint8Array) => new Map(parseTree(bytesOf(root)).map((node) => [node.name.toString(), node]));
  const contentOf = (node?: TreeNode) =>
    Buffer.concat((node?.content ?? []).map((id) => blobs.get(toHex(id)) ?? Buffer.alloc(0)));
  return { recorder, blobs, problems, nodes, contentOf };
}

function entry(path: string, more: Partial<SourceEntry> = {}): SourceEntry {
  return {
    path: Buffer.from(path),
    type: 'file',
    mode: 0o640,
    uid: 1,
    gid: 2,
    userName: 'u',
    groupName: 'g',
    modifiedAtNs: 5n,
    linkTarget: null,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: null,
    content: null,
    ...more,
  };
}

const identity = (inode: bigint, linkCount: number, sizeBytes: number) => ({
  inode,
  linkCount,
  device: 7n,
  sizeBytes: BigInt(sizeBytes),
  accessedAtNs: 1n,
  changedAtNs: 6n,
});

/** Content that announces a size, whatever it has; `failAt`: reading beyond it fails as a bad disk does. */
function content(bytes: Buffer, announced = bytes.length, failAt = Number.POSITIVE_INFINITY): SyncContent {
  return {
    kind: 'sync',
    sizeBytes: announced,
    segments: null,
    read(target, offset, length, position) {
      if (position + length > failAt) throw Object.assign(new Error('i/o error'), { syscall: 'read', code: 'EIO' });
      return bytes.copy(target as Buffer, offset, position, Math.min(bytes.length, position + length));
    },
    close() {},
  };
}

/** Noise that is the same in every run. */
function sameNoise(length: number): Buffer {
  return createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** As a source may give them, which uses its memory again. */
async function* pieces(bytes: Buffer, size: number) {
  const memory = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    yield memory.subarray(0, bytes.copy(memory, 0, at, at + size));
    memory.fill(0xee);
  }
}

describe('EntryRecorder', () => {
  it('reads what is there, whatever size was announced', () => {
    const { recorder, nodes, contentOf } = createRecord();
    const bytes = randomBytes(2_500_000);
    recorder.addSync(entry('/exact', { content: content(bytes) }));
    recorder.addSync(entry('/grown', { content: content(bytes, 1000) }));
    recorder.addSync(entry('/shrunk', { content: content(bytes, 9_000_000) }));
    recorder.addSync(entry('/none', { content: content(Buffer.alloc(0), 50) }));
    const found = nodes(recorder.finish());
    for (const name of ['exact', 'grown', 'shrunk']) {
      expect(Number(found.get(name)?.size)).toBe(bytes.length);
      expect(contentOf(found.get(name)).equals(bytes)).toBe(true);
    }
    expect(found.get('none')?.content).toEqual([]);
  });

  it('reads on in large steps when a file has grown', () => {
    const { recorder } = createRecord();
    const grown = content(randomBytes(5_000_000), 1000);
    const read = vi.fn(grown.read);
    recorder.addSync(entry('/grown', { content: { ...grown, read } }));
    expect(recorder.counters.bytes).toBe(5_000_000);
    expect(read.mock.calls.length).toBeLessThan(12);
  });

  it('takes streams, which repeat what they repeat', async () => {
    const { recorder, nodes, contentOf, blobs } = createRecord();
    const bytes = sameNoise(12_000_000);
    await recorder.addStream(entry('/dump'), { kind: 'stream', sizeBytes: null, stream: pieces(bytes, 70_001) });
    const count = blobs.size;
    const again = Buffer.concat([Buffer.from('one row more'), bytes]);
    await recorder.addStream(entry('/later'), { kind: 'stream', sizeBytes: null, stream: pieces(again, 1_000_000) });
    const found = nodes(recorder.finish());
    expect(contentOf(found.get('dump')).equals(bytes)).toBe(true);
    expect(contentOf(found.get('later')).equals(again)).toBe(true);
    // Some chunks are the same; which ones depends on the bytes alone.
    expect(blobs.size - count).toBeLessThan(found.get('later')?.content?.length ?? 0);
  });

  it('fails with a stream that breaks: half a dump is none', async () => {
    const { recorder } = createRecord();
    async function* broken() {
      yield randomBytes(100);
      throw new Error('the server went away');
    }
    const stream = { kind: 'stream', sizeBytes: null, stream: broken() } as const;
    await expect(recorder.addStream(entry('/dump'), stream)).rejects.toThrow('went away');
  });

  it('leaves out a file that cannot be read, and its further names', () => {
    const { recorder, nodes, problems } = createRecord();
    const bad = content(randomBytes(3_000_000), 3_000_000, 1_500_000);
    recorder.addSync(entry('/bad', { content: bad, identity: identity(1n, 2, 3_000_000) }));
    recorder.addSync(entry('/bad-too', { type: 'hardlink', identity: identity(1n, 2, 3_000_000) }));
    recorder.addSync(entry('/good', { content: content(Buffer.from('good')) }));
    expect([...nodes(recorder.finish()).keys()]).toEqual(['good']);
    expect(problems).toEqual(['unreadable /bad', 'unreadable /bad-too']);
  });

  it('ends with an error that is not the fault of one file', () => {
    const { recorder } = createRecord();
    const broken = {
      ...content(Buffer.alloc(1)),
      read: () => {
        throw new Error('no slot');
      },
    };
    expect(() => recorder.addSync(entry('/file', { content: broken }))).toThrow('no slot');
  });

  it('asks again for attributes that could not be read, not for contents', () => {
    const known = identity(3n, 1, 1);
    const refused = { metadataError: 'refused', xattrs: new Map([['user.old', Buffer.from('old')]]) };
    let before = createRecord();
    for (const [name, more] of [
      ['/a', {}],
      ['/b', refused],
    ] as const)
      before.recorder.addSync(entry(name, { content: content(Buffer.from('x')), identity: known, ...more }));
    let root = before.recorder.finish();
    const xattrs = new Map([['user.k', Buffer.from('v')]]);
    for (const [answer, found] of [
      ['content', { metadataError: 'refused again', xattrs }],
      ['content', { xattrs }],
      [true, {}],
    ] as const) {
      const next = createRecord({ root, blobs: before.blobs });
      const { recorder } = next;
      const listed = {
        mode: 0o100640n,
        uid: 1n,
        gid: 2n,
        dev: 7n,
        ino: 3n,
        nlink: 1n,
        size: 1n,
        mtimeNs: 5n,
        ctimeNs: 6n,
      };
      const isUnchanged = (name: string) =>
        recorder.isUnchanged({ path: Buffer.from(name), modifiedAtNs: 5n, identity: known });
      expect(isUnchanged('/a')).toBe(true);
      recorder.addSync(entry('/a', { identity: known }));
      expect(recorder.takeUnchanged('', 'b', listed)).toBe(false);
      expect(isUnchanged('/b')).toBe(answer);
      recorder.addSync(entry('/b', { identity: known, ...found }));
      root = recorder.finish();
      before = next;
      expect(recorder.counters).toMatchObject({ filesUnmodified: 2, filesChanged: 0 });
    }
    const node = before.nodes(root).get('b');
    expect(before.contentOf(node).toString()).toBe('x');
    expect([node?.error, [...(node?.xattrs?.keys() ?? [])]]).toEqual([undefined, ['user.k']]);
    expect(before.nodes(root).get('a')?.error).toBeUndefined();
  });

  it('takes what follows a folder that has changed as it stands, too', () => {
    const files = ['b', 'c', 'd'];
    const listed = {
      mode: 0o100640n,
      uid: 1n,
      gid: 2n,
      dev: 7n,
      ino: 9n,
      nlink: 1n,
      size: 1n,
      mtimeNs: 5n,
      ctimeNs: 6n,
    };
    const fill = ({ recorder }: ReturnType<typeof createRecord>, inner: string) => {
      const taken: string[] = [];
      recorder.addSync(entry('/f', { type: 'directory' }));
      recorder.addSync(entry('/f/a', { type: 'directory' }));
      recorder.addSync(entry('/f/a/file', { content: content(Buffer.from(inner)), identity: identity(3n, 1, 1) }));
      for (const name of files) {
        if (recorder.takeUnchanged('/f', name, listed)) taken.push(name);
        else
          recorder.addSync(entry(`/f/${name}`, { content: content(Buffer.from(name)), identity: identity(9n, 1, 1) }));
      }
      const root = recorder.finish();
      return { root, taken };
    };
    const first = createRecord();
    const { root } = fill(first, '1');
    const second = createRecord({ root, blobs: first.blobs });
    expect(fill(second, '2').taken).toEqual(files);
    expect(second.recorder.counters).toMatchObject({ dirsChanged: 2, dirsNew: 0, filesUnmodified: 3 });
  });

  it('keeps content and attributes of what is certainly unchanged, for every name of it', () => {
    const bytes = Buffer.from('content');
    const xattrs = new Map([['user.a', Buffer.from('1')]]);
    const about = identity(9n, 2, bytes.length);
    const first = createRecord();
    first.recorder.addSync(entry('/a', { content: content(bytes), identity: about, xattrs }));
    first.recorder.addSync(entry('/b', { type: 'hardlink', identity: about, xattrs }));
    const root = first.recorder.finish();
    const second = createRecord({ root, blobs: first.blobs });
    const ask = (name: string, changedAtNs = 6n) =>
      second.recorder.isUnchanged({ path: Buffer.from(name), modifiedAtNs: 5n, identity: { ...about, changedAtNs } });
    expect([ask('/new'), ask('/a', 7n), ask('/a')]).toEqual([false, false, true]);
    second.recorder.addSync(entry('/a', { identity: about }));
    second.recorder.addSync(entry('/b', { type: 'hardlink', identity: about, xattrs }));
    expect(toHex(second.recorder.finish())).toBe(toHex(root));
    expect(second.recorder.counters).toMatchObject({ filesUnmodified: 1, bytes: bytes.length });
  });
});
