import { describe, expect, it } from 'vitest';
import type { ListedItem } from '../../ports/source.ts';
import { ownerFields, packNode, packTree, type TreeNode } from '../format/tree-node.ts';
import { plainBytesOf, plainPart } from '../tree-part.ts';
import { FileMatcher } from './file-matcher.ts';
import { ParentTree } from './parent-tree.ts';

const id = (byte: number) => Buffer.alloc(32, byte);

function file(name: string, fields: Partial<TreeNode> = {}): TreeNode {
  return {
    name: Buffer.from(name, 'latin1'),
    type: 'file',
    mode: 0o640,
    mtimeNs: 5_000_000_001n,
    atimeNs: 5_000_000_001n,
    ctimeNs: 7n,
    uid: 3,
    gid: 4,
    user: 'u',
    group: '',
    inode: 11n,
    deviceId: 12n,
    size: 13,
    links: 1,
    linkTarget: null,
    xattrs: null,
    device: 0,
    content: [id(1), id(2)],
    subtree: null,
    ...fields,
  };
}

/** What the source would say of the same file. */
function listed(node: TreeNode): ListedItem {
  return {
    mode: BigInt(0o100000 | node.mode),
    uid: BigInt(node.uid),
    gid: BigInt(node.gid),
    dev: node.deviceId,
    ino: node.inode,
    nlink: BigInt(node.links),
    size: BigInt(node.size),
    mtimeNs: node.mtimeNs,
    ctimeNs: node.ctimeNs,
  };
}

/** Takes the next node for this file; its text, null when it is not that. */
function take(tree: ParentTree, node: TreeNode, isKnown: (id: Uint8Array) => boolean = () => true): string | null {
  const matcher = new FileMatcher(isKnown);
  matcher.setOwner(node.uid, node.gid, ownerFields(node));
  return tree.take(node.name.toString('latin1'), listed(node), matcher) ? tree.takenText() : null;
}

const treeOf = (...nodes: TreeNode[]) => new ParentTree([plainPart(packTree(nodes.map(packNode)))]);
const textTree = (text: string) => new ParentTree([plainPart(Buffer.from(`{"nodes":[${text}]}\n`))]);

describe('ParentTree', () => {
  it('takes the nodes that say what would be written, one after the other', () => {
    const nodes = [file('a'), file('b', { size: 0, content: [] }), file('c', { deviceId: 0n }), file('d', { mode: 0 })];
    const tree = treeOf(...nodes);
    let at = tree.firstAt;
    for (const node of nodes) {
      const name = node.name.toString('latin1');
      expect(take(tree, node)).toBe(packNode(node));
      expect(tree.followTaken(at + 1)).toBe(-1);
      at = tree.followTaken(at);
      // Whoever asks again gets the node itself.
      expect(tree.find(name)).toMatchObject({ size: node.size, content: node.content });
      expect(take(tree, node)).toBeNull();
    }
    expect(tree.find('e')).toBeNull();
  });

  it.each<[string, Partial<TreeNode>]>([
    ['time', { mtimeNs: 6n }],
    ['access time', { atimeNs: 6n }],
    ['change time', { ctimeNs: 8n }],
    ['user', { uid: 9 }],
    ['group name', { group: 'g' }],
    ['mode', { mode: 0o600 }],
    ['inode', { inode: 1n }],
    ['longer inode', { inode: 111n }],
    ['shorter inode', { inode: 0n }],
    ['device', { deviceId: 1n }],
    ['size', { size: 14 }],
    ['links', { links: 2 }],
    ['attributes', { xattrs: new Map([['user.a', Buffer.from('b')]]) }],
    ['type', { type: 'symlink', linkTarget: Buffer.from('x'), content: null }],
    ['an error', { error: 'x' }],
    ['what Windows notes', { genericAttributes: { a: 1 } }],
  ])('does not take a node with another %s, and finds it', (_what, fields) => {
    const tree = treeOf(file('a', fields), file('b'));
    expect(take(tree, file('a'))).toBeNull();
    expect(tree.find('a')?.inode).toBe(file('a', fields).inode);
    expect(take(tree, file('b'))).toBe(packNode(file('b')));
  });

  it('takes no node whose content is not known, wholly', () => {
    const second = (asked: Uint8Array) => asked[0] === 2;
    expect(take(treeOf(file('a')), file('a'), second)).toBeNull();
    expect(take(treeOf(file('a')), file('a'), (asked) => !second(asked))).toBeNull();
  });

  it('takes no node that is written otherwise', () => {
    const json = packNode(file('a'));
    const hex = id(2).toString('hex');
    for (const other of [
      json.replace(hex, 'AB'.repeat(32)),
      json.replace(hex, hex.slice(2)),
      json.replace(`"${hex}"]`, `"${hex}",]`),
      json.replace('"content"', '"more":1,"content"'),
      json.replace(']}', '],"more":1}'),
      json.replace(',"uid"', ', "uid"'),
    ]) {
      expect(other).not.toBe(json);
      expect(take(textTree(other), file('a'))).toBeNull();
    }
    expect(take(textTree(json), file('a'))).not.toBeNull();
  });

  it('does not run on into the next node', () => {
    const first = packNode(file('a', { inode: 0n, deviceId: 0n, user: '' }));
    const tree = textTree(`${first},${packNode(file('b'))}`);
    expect(take(tree, file('a', { user: '' }))).toBeNull();
    expect(tree.find('a')?.inode).toBe(0n);
  });

  it('takes plain names only, whatever they look like', () => {
    const names = ['a"b', 'back\\slash', '\xc3\xbc', '\xfc', 'x<y'];
    for (const name of names) {
      const tree = treeOf(file(name));
      expect(take(tree, file(name))).toBeNull();
      expect(tree.find(name)?.size).toBe(13);
    }
  });

  it('finds names in any order, with names between that are not there', () => {
    const tree = treeOf(...['b', 'd', 'f', 'h'].map((name) => file(name)));
    expect(take(tree, file('d'))).toBeNull();
    for (const name of ['a', 'b', 'c', 'f', 'g']) {
      expect(tree.find(name)?.name.toString() ?? null).toBe('bf'.includes(name) ? name : null);
    }
    expect(take(tree, file('h'))).not.toBeNull();
    expect(['d', 'h', 'a', 'b', 'z'].map((name) => tree.find(name) !== null)).toEqual([true, true, false, true, false]);
  });

  it('reads trees in any other form, and empty ones', () => {
    const json = packNode(file('a'));
    for (const text of [
      `{ "nodes" : [${json}] }`,
      `{"more":{},"nodes":[${json}]}\n`,
      `{"nodes":[ ${json}]}\n`,
      `{"nodes":[${packNode(file('A'))} ,${json}]}\n`,
    ]) {
      const tree = new ParentTree([plainPart(Buffer.from(text))]);
      expect(take(tree, file('a'))).toBeNull();
      expect(tree.find('a')?.size).toBe(13);
    }
    const spaced = textTree(`${json} , ${packNode(file('b'))}`);
    expect(take(spaced, file('a'))).toBe(json);
    expect(spaced.find('b')?.size).toBe(13);
    for (const text of ['{"nodes":[]}\n', '{"nodes":null}\n']) {
      expect(new ParentTree([plainPart(Buffer.from(text))]).find('a')).toBeNull();
    }
  });

  it('throws where it is damaged', () => {
    expect(() => new ParentTree([plainPart(Buffer.from('[]'))])).toThrow('a tree');
    expect(() => textTree('{"name":"a"').find('a')).toThrow('a tree');
    expect(() => textTree(`${packNode(file('a'))};`).find('a')).toThrow('a tree');
    expect(() => take(textTree(`${packNode(file('a'))};`), file('a'))).toThrow('a tree');
    expect(() => textTree(packNode(file('a')).replace('"a"', '".."')).find('x')).toThrow('..');
  });

  it('names the trees of the folders that come next', () => {
    const folder = (name: string, byte: number) =>
      file(name, { type: 'dir', content: null, links: 0, size: 0, subtree: id(byte) });
    const tree = treeOf(folder('a', 7), file('b'), folder('c', 8), folder('d', 9));
    const first = tree.find('a');
    expect(first && tree.comingTrees(first, 2).map((item) => item[0])).toEqual([7, 8]);
    const last = tree.find('c');
    expect(last && tree.comingTrees(last, 64).map((item) => item[0])).toEqual([8, 9]);
  });

  describe('in parts', () => {
    const names = ['a', 'b', 'c', 'd'];
    const text = packTree(names.map((name) => packNode(file(name)))).toString();
    /** Cut before the comma in front of each of these. */
    const cutBefore = (...starts: string[]) => {
      const cuts = starts.map((name) => text.indexOf(`,{"name":"${name}"`));
      return [0, ...cuts].map((from, number) => plainPart(Buffer.from(text.slice(from, cuts[number]))));
    };

    it('is followed to its end', () => {
      const tree = new ParentTree(cutBefore('b', 'd'));
      let at = tree.firstAt;
      for (const name of names) {
        expect(tree.isEnd(at)).toBe(false);
        expect(take(tree, file(name))).not.toBeNull();
        at = tree.followTaken(at);
        expect(Buffer.concat(tree.before(at).map(plainBytesOf)).toString()).toBe(text.slice(0, at - 1));
        // The one that was taken last can still be asked for.
        expect(tree.find(name)?.size).toBe(13);
      }
      expect(tree.isEnd(at)).toBe(true);
    });

    it('finds nodes in later parts, the last one again, and earlier ones', () => {
      const tree = new ParentTree(cutBefore('b', 'c', 'd'));
      expect(take(tree, file('a'))).not.toBeNull();
      expect(take(tree, file('x'))).toBeNull();
      expect(tree.find('a')?.size).toBe(13);
      expect(tree.find('c')?.size).toBe(13);
      expect(tree.find('e')).toBeNull();
      expect(tree.find('b')?.size).toBe(13);
    });

    it('follows text only where it stands', () => {
      const tree = new ParentTree(cutBefore('c'));
      const first = packNode(file('a'));
      const second = tree.follow(tree.firstAt, first);
      expect(tree.follow(second, first)).toBe(-1);
      expect(tree.follow(second, packNode(file('b')))).toBe(text.indexOf('{"name":"c"'));
    });

    it('is read as a whole when it is cut elsewhere', () => {
      const parts = [text.slice(0, 40), text.slice(40)].map((part) => plainPart(Buffer.from(part)));
      const tree = new ParentTree(parts);
      expect(tree.find('b')?.size).toBe(13);
      expect(take(tree, file('c'))).toBeNull();
      expect(tree.find('c')?.size).toBe(13);
    });
  });
});
