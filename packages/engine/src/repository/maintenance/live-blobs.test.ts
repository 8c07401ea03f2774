import { describe, expect, it } from 'vitest';
import { BitSet } from '../bit-set.ts';
import { BlobIndex, type BlobType } from '../blob-index.ts';
import { hashOf, toHex } from '../format/blob-id.ts';
import { findLiveBlobs } from './live-blobs.ts';

const signal = new AbortController().signal;

/** An index of the given blobs, and a reader of their bytes. */
function store() {
  const index = new BlobIndex();
  const pack = index.addPack(hashOf(Buffer.from('pack')));
  const blobs = new Map<string, Buffer>();
  const add = (type: BlobType, text: string) => {
    const plain = Buffer.from(text);
    const id = hashOf(plain);
    index.add({ id, type, packNumber: pack, offset: 0, storedLength: 40, plainLength: plain.byteLength });
    blobs.set(toHex(id), plain);
    return toHex(id);
  };
  const pieces = new Map<string, Buffer[]>();
  async function* treePieces(id: Uint8Array) {
    yield* pieces.get(toHex(id)) ?? [blobs.get(toHex(id)) ?? Buffer.alloc(0)];
  }
  const live = async (tree: string) => {
    const found = new BitSet(index.count);
    await findLiveBlobs([tree], { index, reader: { treePieces }, signal, live: found });
    return [...found].map((entry) => toHex(index.idOf(entry))).sort();
  };
  return { add, live };
}

describe('findLiveBlobs', () => {
  it('finds parts of files and what lies below folders, and nothing else', async () => {
    const { add, live } = store();
    const [part, other, unused] = ['part', 'other', 'unused'].map((text) => add('data', text));
    const inner = add('tree', `{"nodes":[{"name":"b","type":"file","content":["${part}"]}]}\n`);
    const top = add(
      'tree',
      `{"nodes":[{"name":"a","type":"file","content":["${other}","${part}"]},{"name":"d","type":"dir","content":null,"subtree":"${inner}"},{"name":"l","type":"symlink","content":null}]}`,
    );
    expect(await live(top)).toEqual([part, other, inner, top].sort());
    expect(unused).toBeDefined();
  });

  it('keeps what a restore would read: a null does not take back the list before it', async () => {
    const { add, live } = store();
    const part = add('data', 'part');
    const inner = add('tree', `{"nodes":[{"name":"b","type":"file","content":["${part}"],"content":null}]}\n`);
    const top = add('tree', `{"nodes":[{"name":"d","type":"dir","subtree":"${inner}","subtree":null}]}\n`);
    expect(await live(top)).toEqual([part, inner, top].sort());
  });

  it.each(['{"nodes":[]}\n', '{"nodes":null}', '{"later":{"nodes":1},"nodes":[]}'])(
    'takes %j for an empty folder',
    async (json) => {
      const { add, live } = store();
      const tree = add('tree', json);
      expect(await live(tree)).toEqual([tree]);
    },
  );

  it.each([
    ...['{}', '{"Nodes":[]}', '{"node":[]}', 'null', '[]', '7', '"nodes"', '', '{"nodes":[]', '{"nodes":[]}]'],
    ...['{"nodes":{}}', '{"nodes":""}', '{"nodes":0}', '{"nodes":false}', '{"nodes":[null]}', '{"nodes":["a"]}'],
    ...['{"nodes":[{"type":"file","content":{}}]}', '{"nodes":[{"type":"file","content":"ab"}]}'],
    ...['{"nodes":[{"type":"file","content":[1]}]}', '{"nodes":[{"type":"dir","subtree":1}]}'],
    ...['{"nodes":[{"type":"file","content":0}]}', '{"nodes":[{"type":"dir","subtree":"ab"}]}'],
    '{"nodes":[{"type":"dir","subtree":""}]}',
  ])('is stopped by %j, which is no tree', async (json) => {
    const { add, live } = store();
    await expect(live(add('tree', json))).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
  });

  it('needs the parts of an item without a type, which is restored as a file', async () => {
    const { add, live } = store();
    const part = add('data', 'part');
    const tree = add('tree', `{"nodes":[{"name":"a","content":["${part}"]}]}`);
    expect(await live(tree)).toEqual([part, tree].sort());
  });

  it('names the tree that is none', async () => {
    const { add, live } = store();
    const inner = add('tree', '{}');
    const top = add('tree', `{"nodes":[{"name":"d","type":"dir","subtree":"${inner}"}]}`);
    await expect(live(top)).rejects.toMatchObject({ params: { reason: expect.stringContaining(inner) } });
  });
});
