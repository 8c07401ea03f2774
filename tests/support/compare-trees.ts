/** Compares two trees byte for byte and metadata for metadata, as `lstat`, `getfattr` and the content tell. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

interface Item {
  readonly stats: BigIntStats;
  readonly link: string;
  readonly digest: string;
}

export interface CompareOptions {
  /** Relative paths (latin1 view of the bytes) that may differ or be missing. */
  readonly ignore?: readonly string[];
  /** Blocks on disk may differ by this share before a sparse file counts as blown up. */
  readonly isCheckingSparse?: boolean;
}

/** One sentence per difference; empty when the trees are identical. Access and change times are not compared. */
export function compareTrees(expected: string, actual: string, options: CompareOptions = {}): string[] {
  const left = readTree(expected);
  const right = readTree(actual);
  const ignored = new Set(options.ignore ?? []);
  const problems: string[] = [];
  for (const [name, item] of left) {
    if (ignored.has(name)) continue;
    const other = right.get(name);
    if (!other) problems.push(`missing: ${name}`);
    else problems.push(...compareItems(name, item, other, options.isCheckingSparse ?? true));
  }
  for (const name of right.keys()) {
    if (!left.has(name) && !ignored.has(name)) problems.push(`not in the original: ${name}`);
  }
  problems.push(...compareHardLinks(left, right));
  const attributes = [attributesOf(expected), attributesOf(actual)];
  if (attributes[0] !== attributes[1]) problems.push(`extended attributes differ: ${attributes[0]} / ${attributes[1]}`);
  return problems;
}

function compareItems(name: string, a: Item, b: Item, isCheckingSparse: boolean): string[] {
  const problems: string[] = [];
  const differ = (what: string, x: unknown, y: unknown): void => {
    if (x !== y) problems.push(`${name}: ${what} ${String(x)} became ${String(y)}`);
  };
  differ('mode', a.stats.mode, b.stats.mode);
  differ('uid', a.stats.uid, b.stats.uid);
  differ('gid', a.stats.gid, b.stats.gid);
  differ('link', a.link, b.link);
  if (a.stats.isBlockDevice() || a.stats.isCharacterDevice()) differ('device', a.stats.rdev, b.stats.rdev);
  differ('content', a.digest, b.digest);
  if (!a.stats.isDirectory()) differ('size', a.stats.size, b.stats.size);
  // Node sets times as floating point seconds: nanoseconds are restored to within a microsecond.
  const drift = a.stats.mtimeNs - b.stats.mtimeNs;
  if (drift > 1000n || drift < -1000n) problems.push(`${name}: mtime ${a.stats.mtimeNs} became ${b.stats.mtimeNs}`);
  const isSparse = a.stats.isFile() && a.stats.blocks * 512n < a.stats.size / 2n;
  if (isCheckingSparse && isSparse && b.stats.blocks * 512n > b.stats.size / 2n)
    problems.push(`${name}: the sparse file was blown up`);
  return problems;
}

function compareHardLinks(left: ReadonlyMap<string, Item>, right: ReadonlyMap<string, Item>): string[] {
  const groups = (tree: ReadonlyMap<string, Item>): string[] => {
    const byInode = new Map<bigint, string[]>();
    for (const [name, item] of tree) {
      if (item.stats.isFile() && item.stats.nlink > 1n)
        byInode.set(item.stats.ino, [...(byInode.get(item.stats.ino) ?? []), name]);
    }
    return [...byInode.values()]
      .filter((names) => names.length > 1)
      .map((names) => names.sort().join(' = '))
      .sort();
  };
  const [a, b] = [groups(left).join('; '), groups(right).join('; ')];
  return a === b ? [] : [`hard links differ: ${a} / ${b}`];
}

function attributesOf(folder: string): string {
  try {
    const text = execFileSync('getfattr', ['-R', '-d', '-m', '-', '--absolute-names', folder], {
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    // In the order of the folders, which is any.
    return text.replaceAll(folder, '').trim().split('\n\n').sort().join('\n\n');
  } catch {
    return '';
  }
}

function readTree(folder: string): Map<string, Item> {
  const items = new Map<string, Item>();
  const visit = (at: Buffer, name: string): void => {
    const stats = lstatSync(at, { bigint: true });
    items.set(name, {
      stats,
      link: stats.isSymbolicLink() ? readlinkSync(at, { encoding: 'latin1' }) : '',
      digest: stats.isFile() ? createHash('sha256').update(readFileSync(at)).digest('hex') : '',
    });
    if (!stats.isDirectory()) return;
    for (const entry of readdirSync(at, { encoding: 'buffer' })) {
      visit(Buffer.concat([at, Buffer.from('/'), entry]), `${name}/${entry.toString('latin1')}`);
    }
  };
  visit(Buffer.from(folder), '');
  return items;
}
