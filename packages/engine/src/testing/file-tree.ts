/** Makes and describes file trees for tests: everything that a backup must bring back. */
import { execFileSync } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';

const bytes = (text: string) => Buffer.from(text, 'latin1');

/** Odd names, modes, links, holes, a FIFO, an attribute. Returns the folder. */
export function makeOddTree(folder: string): string {
  const at = (name: string) => Buffer.concat([Buffer.from(`${folder}/`), bytes(name)]);
  mkdirSync(at('empty'), { recursive: true });
  mkdirSync(at('deep/er/and deeper'), { recursive: true });
  writeFileSync(at('not-utf8-\xff\xfe'), 'bytes');
  writeFileSync(at('new\nline'), 'newline');
  writeFileSync(at(Buffer.from('emoji-🗄️').toString('latin1')), 'emoji');
  writeFileSync(at('x'.repeat(255)), 'long');
  writeFileSync(at('back\\x41slash'), 'slash');
  writeFileSync(at('zero'), '');
  writeFileSync(at('deep/er/and deeper/file'), Buffer.alloc(300_000, 'abc'));
  writeFileSync(at('setuid'), '#!', { mode: 0o755 });
  execFileSync('chmod', ['4711', `${folder}/setuid`]);
  execFileSync('chmod', ['2750', `${folder}/deep`]);
  linkSync(at('zero'), at('deep/zero-again'));
  symlinkSync('deep/er', at('link'));
  symlinkSync(bytes('/nowhere/\xff'), at('dangling'));
  execFileSync('mkfifo', [`${folder}/fifo`]);
  writeFileSync(at('sparse'), 'start');
  truncateSync(at('sparse'), 8 * 1024 * 1024);
  execFileSync('dd', ['if=/dev/zero', `of=${folder}/sparse`, 'bs=1', 'count=1', 'seek=5000000', 'conv=notrunc'], {
    stdio: 'ignore',
  });
  writeFileSync(at('dense'), Buffer.alloc(100_000));
  utimesSync(at('zero'), 1_600_000_000.25, 1_600_000_000.123456);
  utimesSync(at('empty'), 1, 1);
  return folder;
}

export interface TreeItem {
  readonly type: string;
  readonly mode: number;
  readonly owner: string;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly content: string;
  readonly links: number;
}

/** Every item below a folder by its name (one character per byte), for comparison. */
export function describeTree(folder: string): Map<string, TreeItem> {
  const items = new Map<string, TreeItem>();
  const visit = (relative: string) => {
    const path = Buffer.concat([Buffer.from(folder), bytes(relative)]);
    const stats = lstatSync(path, { bigint: true });
    const content = stats.isFile()
      ? readFileSync(path).toString('base64')
      : stats.isSymbolicLink()
        ? readlinkSync(path, 'buffer').toString('latin1')
        : '';
    items.set(relative, {
      type: String(stats.mode & 0o170000n),
      mode: Number(stats.mode & 0o7777n),
      owner: `${stats.uid}:${stats.gid}`,
      size: stats.isDirectory() ? 0 : Number(stats.size),
      mtimeNs: stats.mtimeNs,
      content,
      links: stats.isDirectory() ? 0 : Number(stats.nlink),
    });
    if (stats.isDirectory()) for (const name of readdirSync(path, 'latin1').sort()) visit(`${relative}/${name}`);
  };
  visit('');
  return items;
}

/** Names of items that differ, with what differs; times may be half a microsecond apart. */
export function treeDifferences(before: Map<string, TreeItem>, after: Map<string, TreeItem>): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names.flatMap((name) => {
    const [a, b] = [before.get(name), after.get(name)];
    return a && b
      ? itemDifferences(a, b).map((text) => `${name}: ${text}`)
      : [`${name}: only ${a ? 'before' : 'after'}`];
  });
}

const compared = ['type', 'mode', 'owner', 'size', 'content', 'links'] as const;

function itemDifferences(a: TreeItem, b: TreeItem): string[] {
  const short = (value: unknown) => String(value).slice(0, 40);
  const found = compared.filter((key) => a[key] !== b[key]).map((key) => `${key} ${short(a[key])} → ${short(b[key])}`);
  const apartNs = Math.abs(Number(a.mtimeNs - b.mtimeNs));
  return apartNs > 500 ? [...found, `time ${apartNs} ns apart`] : found;
}
