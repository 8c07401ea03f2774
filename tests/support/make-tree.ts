/** Makes a tree of files that a backup must survive: odd names, links, sparse files, exact times, many small files. */
import { execFileSync, spawnSync } from 'node:child_process';
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

/**
 * What only a repository (and GNU tar) keeps: attributes with any bytes, access control lists, devices, special bits on
 * folders, hard links across folders, times before 1970 and far ahead, many names in one folder. Devices for root only.
 */
export function makeRareKinds(folder: string): void {
  mkdirSync(path.join(folder, 'deep', 'er'), { recursive: true });
  const file = path.join(folder, 'attributes');
  writeFileSync(file, 'with attributes');
  const run = (program: string, ...args: string[]): boolean =>
    spawnSync(program, args, { stdio: 'ignore' }).status === 0;
  run('setfattr', '-n', 'user.binary', '-v', '0x00ff0a3d5c22', file);
  run('setfattr', '-n', 'user.empty', file);
  run('setfattr', '-n', 'user.ü', '-v', '中', file);
  run('setfattr', '-n', 'user.folder', '-v', 'x', path.join(folder, 'deep'));
  run('setfacl', '-m', 'u:1234:r,g:4321:rw', file);
  run('setfacl', '-d', '-m', 'u:1234:rx', path.join(folder, 'deep'));
  linkSync(file, path.join(folder, 'deep', 'er', 'same-inode'));
  for (const [name, mode] of [
    ['setgid', 0o2775],
    ['sticky', 0o1777],
    ['no-access', 0o000],
  ] as const) {
    mkdirSync(path.join(folder, name));
    chmodSync(path.join(folder, name), mode);
  }
  for (const [name, time] of [
    ['old', '1961-04-12 06:07:00.25'],
    ['future', '2100-02-28 23:59:59.999999999'],
  ] as const) {
    writeFileSync(path.join(folder, name), name);
    run('touch', '-d', time, path.join(folder, name));
  }
  if (process.getuid?.() === 0) {
    run('mknod', path.join(folder, 'null'), 'c', '1', '3');
    run('mknod', path.join(folder, 'loop'), 'b', '7', '200');
    writeFileSync(path.join(folder, 'owned'), 'by nobody known');
    run('chown', '-h', '54321:12345', path.join(folder, 'owned'));
  }
  // Chunk sizes that matter: just below, at and above 512 KiB; zeros, which cut at every 512 KiB.
  for (const size of [524_287, 524_288, 524_289])
    writeFileSync(path.join(folder, `size-${size}`), makeNoise(size, size));
  writeFileSync(path.join(folder, 'zeros'), Buffer.alloc(1_700_000));
}

/** Bytes that do not compress, the same for the same seed. */
export function makeNoise(bytes: number, seed: number): Buffer {
  const noise = Buffer.alloc(bytes + 4);
  let [a, b, c, d] = [seed | 0, 0x9e3779b9 | 0, 0x243f6a88, 1];
  for (let at = -60; at < bytes; at += 4) {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    if (at >= 0) noise.writeInt32LE(sum, at);
  }
  return noise.subarray(0, bytes);
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
