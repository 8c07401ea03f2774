/** Makes a tree of files that a backup must survive: odd names, links, sparse files, exact times, many small files. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';

export interface TreeOptions {
  /** Plain files besides the odd ones. */
  readonly files: number;
  readonly seed?: number;
}

/** Creates `folder` and fills it. Content depends on seed and index only. */
export function makeTree(folder: string, options: TreeOptions): void {
  mkdirSync(folder, { recursive: true });
  const seed = options.seed ?? 1;
  for (let index = 0; index < options.files; index++) {
    const subFolder = path.join(folder, `d${index % 23}`, `e${index % 11}`);
    if (index < 23 * 11) mkdirSync(subFolder, { recursive: true });
    const line = `file ${index} of tree ${seed}\n`;
    writeFileSync(path.join(subFolder, `file-${index}.txt`), line.repeat((index * 7) % 61), {
      mode: index % 5 === 0 ? 0o600 : 0o644,
    });
  }
  makeOddNames(path.join(folder, 'odd'));
  makeOddKinds(path.join(folder, 'kinds'), seed);
}

function makeOddNames(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const names = [
    'with space',
    ' leading and trailing ',
    'new\nline',
    'tab\there',
    'quote"and\'quote',
    'back\\slash',
    '-dash',
    '*star?',
    '$HOME',
    '#hash',
    '%25percent',
    '中文文件名.txt',
    'emoji-😀.txt',
    'combining-é.txt',
    'ﬁ-ligature',
    '.hidden',
    `${'x'.repeat(251)}.txt`,
    'a'.repeat(100),
    'ends.tar.zst.age',
  ];
  for (const name of names) writeFileSync(path.join(folder, name), `content of ${JSON.stringify(name)}`);
  const raw = Buffer.concat([
    Buffer.from(`${folder}/latin1-`),
    Buffer.from([0xe4, 0xf6, 0xfc, 0xff]),
    Buffer.from('.bin'),
  ]);
  writeFileSync(raw, 'name is not UTF-8');
  const deep = path.join(folder, ...Array.from({ length: 12 }, (_unused, index) => `level-${index}-${'y'.repeat(40)}`));
  mkdirSync(deep, { recursive: true });
  writeFileSync(path.join(deep, 'bottom.txt'), 'deep');
}

function makeOddKinds(folder: string, seed: number): void {
  mkdirSync(path.join(folder, 'empty-folder'), { recursive: true });
  writeFileSync(path.join(folder, 'empty-file'), '');
  writeFileSync(path.join(folder, 'first-name'), `hard linked ${seed}`);
  linkSync(path.join(folder, 'first-name'), path.join(folder, 'second-name'));
  symlinkSync('first-name', path.join(folder, 'link-to-file'));
  symlinkSync('/does/not/exist', path.join(folder, 'dangling-link'));
  symlinkSync('empty-folder', path.join(folder, 'link-to-folder'));
  lutimesSync(path.join(folder, 'dangling-link'), 1_600_000_000, 1_600_000_000.5);
  const sparse = openSync(path.join(folder, 'sparse.img'), 'w');
  ftruncateSync(sparse, 64 * 1024 * 1024);
  writeSync(sparse, Buffer.from('island'), 0, 6, 20 * 1024 * 1024);
  closeSync(sparse);
  writeFileSync(path.join(folder, 'setuid'), '#!/bin/sh\n');
  chmodSync(path.join(folder, 'setuid'), 0o4755);
  writeFileSync(path.join(folder, 'read-only'), 'r');
  chmodSync(path.join(folder, 'read-only'), 0o400);
  execFileSync('mkfifo', [path.join(folder, 'fifo')]);
  writeFileSync(path.join(folder, 'exact-time'), 't');
  execFileSync('touch', ['-d', '2001-02-03 04:05:06.123456789', path.join(folder, 'exact-time')]);
  const noise = Buffer.alloc(9 * 1024 * 1024);
  for (let at = 0, state = seed; at < noise.length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    noise.writeInt32LE(state, at);
  }
  writeFileSync(path.join(folder, 'noise.bin'), noise);
  utimesSync(path.join(folder, 'empty-folder'), 1_500_000_000, 1_500_000_000);
  try {
    execFileSync('setfattr', ['-n', 'user.backupx', '-v', 'kept', path.join(folder, 'exact-time')], {
      stdio: 'ignore',
    });
  } catch {
    // The file system has no extended attributes; the comparison then finds none on either side.
  }
}
