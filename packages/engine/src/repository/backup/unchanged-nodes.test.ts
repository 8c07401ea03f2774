import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ListedItem, SourceEntry, SyncContent } from '../../ports/source.ts';
import { hashOf, toHex } from '../format/blob-id.ts';
import { TreeCutter } from '../large-tree.ts';
import { compressedPart, plainBytesOf, plainPart, type TreePart } from '../tree-part.ts';
import type { ContentCutter } from './content-cutter.ts';
import { EntryRecorder } from './entry-recorder.ts';
import { ParentWalk } from './parent-walk.ts';

/** One item of a folder; its content is its number in one byte, zero: empty. */
interface Item {
  readonly type: SourceEntry['type'];
  readonly mode: number;
  readonly owner: number;
  readonly times: number;
  readonly inode: number;
  readonly device: number;
  readonly links: number;
  readonly content: number;
  readonly hasXattrs: boolean;
}
type Folder = ReadonlyMap<string, Item>;
type Tree = ReadonlyMap<string, Folder>;

/** Raw names as latin1 text: plain ones, some that JSON or Go escape, some that are not UTF-8. */
const names = ['a', 'b', 'b.txt', 'c d', 'x"y', 'back\\slash', '<&>', '\xc3\xbc', '\xff\x01', 'z'];
const owners = [
  { uid: 0, gid: 0, userName: 'root', groupName: 'root' },
  { uid: 0, gid: 8, userName: 'root', groupName: 'm\u00fcll"er' },
  { uid: 7, gid: 8, userName: '', groupName: 'm\u00fcll"er' },
];

const item: fc.Arbitrary<Item> = fc.record({
  type: fc.constantFrom('file', 'file', 'file', 'file', 'symlink', 'fifo', 'char_device'),
  mode: fc.constantFrom(0o644, 0o600, 0o4755, 0),
  owner: fc.nat(2),
  times: fc.nat(2),
  inode: fc.nat(2),
  device: fc.nat(1),
  links: fc.constantFrom(1, 1, 1, 2),
  content: fc.nat(3),
  hasXattrs: fc.boolean(),
});
const folder = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...names), item), { selector: ([name]) => name, maxLength: 8 })
  .map((items) => new Map(items.sort(([a], [b]) => (a < b ? -1 : 1))));
const tree = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...names), folder), { selector: ([name]) => name, maxLength: 4 })
  .map((folders): Tree => new Map(folders.sort(([a], [b]) => (a < b ? -1 : 1))));

/** One thing of an item changed, or nothing. */
function altered(one: Item | undefined, choice: number): Item | undefined {
  if (one && choice === 0) return { ...one, mode: one.mode ^ 0o40 };
  if (one && choice === 1) return { ...one, owner: (one.owner + 1) % owners.length };
  if (one && choice === 2) return { ...one, device: 1 - one.device };
  return one;
}

/** Items of the second tree in place of some of the first, some gone, the rest as they are. */
function mixed(before: Tree, after: Tree, choose: (key: string) => number): Tree {
  const folders = [...new Set([...before.keys(), ...after.keys()])].sort();
  return new Map(
    folders.map((name) => {
      const [old, fresh] = [before.get(name) ?? new Map<string, Item>(), after.get(name) ?? new Map<string, Item>()];
      const found = [...new Set([...old.keys(), ...fresh.keys()])].sort().flatMap((key) => {
        const choice = choose(`${name}/${key}`);
        const chosen = choice < 7 ? altered(old.get(key), choice) : choice < 9 ? fresh.get(key) : null;
        return chosen ? [[key, chosen] as const] : [];
      });
      return [name, new Map(found)];
    }),
  );
}

const bytesOf = ({ content }: Item) => Buffer.alloc(Math.min(1, content), content);

function entryOf(path: string, found: Item, content: SyncContent | null): SourceEntry {
  const { type, mode, owner, times, inode, device, links, hasXattrs } = found;
  return {
    path: Buffer.from(path, 'latin1'),
    type,
    mode,
    ...(owners[owner] ?? { uid: 0, gid: 0, userName: '', groupName: '' }),
    modifiedAtNs: BigInt(times) * 1_500_000_000n,
    linkTarget: type === 'symlink' ? Buffer.from('to') : null,
    deviceMajor: type === 'char_device' ? 1 : 0,
    deviceMinor: 0,
    xattrs: hasXattrs ? new Map([['user.a', Buffer.from('b')]]) : null,
    content,
    identity: {
      inode: BigInt(inode),
      device: BigInt(device),
      linkCount: links,
      sizeBytes: BigInt(bytesOf(found).length),
      accessedAtNs: 0n,
      changedAtNs: BigInt(times) * 1_500_000_000n + BigInt(found.content),
    },
  };
}

interface Recorded {
  readonly root: Buffer;
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly treesHashed: number;
  readonly unmodified: number;
  /** Of these, taken as the text they were. */
  readonly taken: number;
}

/** As small as may be, every other one compressed. */
function partsOf(tree: Buffer | null): TreePart[] | null {
  if (!tree) return null;
  const cutter = new TreeCutter(1);
  const pieces: Buffer[] = [];
  for (let at = 0; at < tree.byteLength; at += 100)
    pieces.push(cutter.add(tree.subarray(at, at + 100)) ?? Buffer.alloc(0));
  const found = [...pieces, cutter.end()].filter(({ byteLength }) => byteLength > 0);
  return found.map((piece, number) => (number % 2 === 0 ? plainPart(piece) : compressedPart(piece)));
}

/** Records a tree as the reading thread does; `parent`: compared with it. */
function record(found: Tree, parent: Recorded | null, rootName = 'root'): Recorded {
  const blobs = new Map<string, Buffer>(parent?.blobs);
  let treesHashed = 0;
  let taken = 0;
  let read: Buffer = Buffer.alloc(0);
  const save = (bytes: Buffer) => {
    const id = hashOf(bytes);
    blobs.set(toHex(id), bytes);
    return id;
  };
  const cutter: Pick<ContentCutter, 'room' | 'filled' | 'end' | 'addTree' | 'flush' | 'discard'> = {
    room(wanted) {
      read = Buffer.alloc(wanted);
      return read;
    },
    filled(count) {
      read = read.subarray(0, count);
    },
    end() {
      return read.length === 2 ? [] : [save(read)];
    },
    addTree(parts) {
      treesHashed += 1;
      return save(Buffer.concat(parts.map(plainBytesOf)));
    },
    flush() {},
    discard() {},
  };
  const recorder = new EntryRecorder({
    cutter: cutter as ContentCutter,
    parent: new ParentWalk(parent?.root ?? null, (id) => partsOf(blobs.get(toHex(id)) ?? null)),
    isKnown: (id) => blobs.has(toHex(id)),
    isKnownTree: (id) => blobs.has(toHex(id)),
    onProblem() {},
    onTick() {},
  });
  for (const [name, items] of found) {
    const listed = { type: 'directory', mode: 0o755, owner: 0, times: 0, inode: 1, device: 0, links: 1 } as const;
    recorder.addSync({ ...entryOf(`/${name}`, { ...listed, content: 0, hasXattrs: true }, null), userName: rootName });
    for (const [key, one] of items)
      taken += addItem(recorder, `/${name}/${key}`, { one, rootName, isCompared: parent !== null });
  }
  const root = Buffer.from(recorder.finish());
  return { root, blobs, treesHashed, unmodified: recorder.counters.filesUnmodified, taken };
}

const TYPE_BITS: Partial<Record<Item['type'], number>> = { file: 0o100000, symlink: 0o120000, fifo: 0o010000 };

function listedOf({ uid, gid, mode, modifiedAtNs, identity }: SourceEntry, type: Item['type']): ListedItem | null {
  return (
    (identity && {
      mode: BigInt((TYPE_BITS[type] ?? 0o020000) | mode),
      uid: BigInt(uid),
      gid: BigInt(gid),
      dev: identity.device,
      ino: identity.inode,
      nlink: BigInt(identity.linkCount),
      size: identity.sizeBytes,
      mtimeNs: modifiedAtNs,
      ctimeNs: identity.changedAtNs,
    }) ??
    null
  );
}

interface Added {
  readonly one: Item;
  readonly rootName: string;
  readonly isCompared: boolean;
}

/** Answers how many were taken. */
function addItem(recorder: EntryRecorder, path: string, { one, rootName, isCompared }: Added): number {
  const found = entryOf(path, one, null);
  const whole = found.uid === 0 ? { ...found, userName: rootName } : found;
  const { modifiedAtNs, identity } = whole;
  const slash = path.lastIndexOf('/');
  const listed = listedOf(whole, one.type);
  if (isCompared && listed && recorder.takeUnchanged(path.slice(0, slash), path.slice(slash + 1), listed)) return 1;
  if (one.type !== 'file' || !identity) {
    recorder.addSync(whole);
  } else if (isCompared && recorder.isUnchanged({ path: whole.path, modifiedAtNs, identity })) {
    // The source does not look at the attributes then.
    recorder.addSync({ ...whole, xattrs: null });
  } else {
    const bytes = bytesOf(one);
    const read: SyncContent['read'] = (target, offset, length, position) =>
      bytes.copy(target as Buffer, offset, position, Math.min(bytes.length, position + length));
    recorder.addSync({
      ...whole,
      content: { kind: 'sync', sizeBytes: bytes.length, segments: null, read, close() {} },
    });
  }
  return 0;
}

describe('nodes taken from the parent snapshot', () => {
  it('make the trees that would be made without one', () => {
    fc.assert(
      fc.property(tree, tree, fc.func(fc.nat(9)), fc.constantFrom('root', 'renamed'), (before, after, choose, name) => {
        const now = mixed(before, after, choose);
        const compared = record(now, record(before, null), name);
        // What changes attributes or content changes the times: a source like this one could not tell otherwise.
        fc.pre(isTold(before, now));
        expect(compared.root.equals(record(now, null, name).root)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('are all of them where nothing has changed, and no tree is made anew but that of the root', () => {
    fc.assert(
      fc.property(tree, (before) => {
        const first = record(before, null);
        const second = record(before, first);
        expect(second.root.equals(first.root)).toBe(true);
        const files = [...before.values()].flatMap((items) =>
          [...items.values()].filter(({ type }) => type === 'file'),
        );
        expect(second.unmodified).toBe(files.length);
      }),
    );
    const plain: Item = {
      ...{ type: 'file', mode: 0o644, owner: 0, times: 1, inode: 1, device: 1, links: 1, content: 1 },
      hasXattrs: false,
    };
    const tidy: Tree = new Map([['a', new Map(['b', 'c', 'd'].map((name) => [name, plain]))]]);
    const again = record(tidy, record(tidy, null));
    expect([again.treesHashed, again.unmodified, again.taken]).toEqual([1, 3, 2]);
    const renamed = record(tidy, record(tidy, null), 'renamed');
    expect(renamed.treesHashed).toBe(2);
    expect(renamed.unmodified).toBe(3);
  });
});

/** True when files that look alike to the source are alike. */
function isTold(before: Tree, now: Tree): boolean {
  return [...now].every(([name, items]) =>
    [...items].every(([key, one]) => {
      const old = before.get(name)?.get(key);
      if (old?.type !== 'file' || one.type !== 'file' || old.times !== one.times) return true;
      return old.inode !== one.inode || old.content !== one.content || old.hasXattrs === one.hasXattrs;
    }),
  );
}
