/** GNU tar, zstd and age are the judges: they must restore what we write, and we must read what they write. */
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { RestoreEntry, SourceEntry } from '@backupx/engine/ports/source';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compress, decompress } from '../../packages/engine/src/archive/compression.ts';
import { createAgeKey, encryptAge } from '../../packages/engine/src/archive/encryption.ts';
import {
  collect,
  inChunks,
  noise,
  sampleContent,
  sampleEntry,
} from '../../packages/engine/src/archive/sample-entries.ts';
import { readTar } from '../../packages/engine/src/archive/tar-reader.ts';
import { writeTar } from '../../packages/engine/src/archive/tar-writer.ts';
import { describeTree, entriesBelow, makeTempDir, run, writeStream } from './archive-samples.ts';

const signal = new AbortController().signal;
let temp: ReturnType<typeof makeTempDir>;
let source: string;
let target: string;

beforeEach(() => {
  temp = makeTempDir();
  source = join(temp.path, 'source');
  target = join(temp.path, 'target');
  mkdirSync(source);
  mkdirSync(target);
});
afterEach(() => temp.remove());

function makeTree(): void {
  const at = (...parts: string[]) => join(source, ...parts);
  mkdirSync(at('d'.repeat(120), 'e'.repeat(120)), { recursive: true });
  mkdirSync(at('plain'), { mode: 0o700 });
  writeFileSync(at('plain/empty'), '');
  writeFileSync(at('plain/text'), 'hello\n', { mode: 0o4755 });
  writeFileSync(at('plain/exactly-512'), noise(512));
  writeFileSync(at('plain/large'), noise(9_000_000));
  writeFileSync(at('d'.repeat(120), 'e'.repeat(120), 'f'.repeat(200)), 'deep');
  writeFileSync(at('Bücher und 文'), 'unicode');
  writeFileSync(at('new\nline "quoted" \\x41'), 'odd');
  writeFileSync(Buffer.concat([Buffer.from(`${source}/bytes-`), Buffer.of(0xff, 0xfe, 0x80)]), 'latin');
  writeFileSync(Buffer.concat([Buffer.from(`${source}/${'b'.repeat(150)}`), Buffer.of(0xff)]), 'long and not UTF-8');
  linkSync(at('plain/text'), at('plain/second-name'));
  symlinkSync('../Bücher und 文', at('plain/link'));
  symlinkSync('x'.repeat(180), at('plain/long-link'));
  run('mkfifo', [at('plain/pipe')]);
  utimesSync(at('plain/text'), 0, 1_000_000_000.123);
  run('touch', ['-d', '1950-01-02 03:04:05.6', at('plain/empty')]);
  run('touch', ['-d', '2500-01-01 00:00:00.123456789', at('plain/exactly-512')]);
}

const tarOf = (entries: Iterable<SourceEntry>) =>
  writeTar(entries, {
    signal,
    onProblem: (problem) => {
      throw new Error(`${problem.path}: ${problem.message}`);
    },
  });

describe('GNU tar restores our archives', () => {
  it('plain: names, modes, times in nanoseconds, links, pipes', async () => {
    makeTree();
    const archive = join(temp.path, 'a.tar');
    await writeStream(archive, tarOf(entriesBelow(source)));
    run('tar', ['-xpf', archive, '-C', target]);
    expect(describeTree(join(target, source))).toEqual(describeTree(source));
    expect(describeTree(source).length).toBeGreaterThan(15);
  });

  it('through zstd and age, with stock programs alone', async () => {
    makeTree();
    const { identity, recipient } = await createAgeKey();
    const compressed = compress(tarOf(entriesBelow(source)), { algorithm: 'zstd', parallelism: 2, signal });
    const archive = join(temp.path, 'a.tar.zst.age');
    await writeStream(archive, encryptAge(compressed, [recipient], { signal }));
    writeFileSync(join(temp.path, 'key'), `${identity}\n`, { mode: 0o600 });
    const pipeline = 'set -e; age -d -i "$0/key" "$1" | zstd -d | tar -xpf - -C "$2"';
    run('bash', ['-o', 'pipefail', '-c', pipeline, temp.path, archive, target]);
    expect(describeTree(join(target, source))).toEqual(describeTree(source));
  });

  it('through gzip', async () => {
    makeTree();
    const archive = join(temp.path, 'a.tar.gz');
    await writeStream(archive, compress(tarOf(entriesBelow(source)), { algorithm: 'gzip', parallelism: 2, signal }));
    run('gzip', ['-t', archive]);
    run('tar', ['-xzpf', archive, '-C', target]);
    expect(describeTree(join(target, source))).toEqual(describeTree(source));
  });

  it('sparse files with their holes', async () => {
    const sizeBytes = 40 * 1024 * 1024 + 123;
    const data = Buffer.alloc(sizeBytes);
    const segments = [
      { offset: 4096, length: 100 },
      { offset: 9_000_000, length: 70_000 },
    ];
    for (const { offset, length } of segments) noise(length).copy(data, offset);
    const ends = [{ offset: sizeBytes - 1000, length: 1000 }];
    const name = `/long-${'n'.repeat(200)}`;
    await writeStream(
      join(temp.path, 'a.tar'),
      tarOf([
        sampleEntry('/hole-at-end', 'file', { content: sampleContent(data, segments) }),
        sampleEntry(name, 'file', { content: sampleContent(data, [...segments, ...ends]) }),
        sampleEntry('/all-hole', 'file', { content: sampleContent(Buffer.alloc(1_000_000), []) }),
        sampleEntry('/next', 'file', { data: 'next' }),
      ]),
    );
    run('tar', ['-xf', join(temp.path, 'a.tar'), '-C', target]);
    writeFileSync(join(temp.path, 'expected'), data);
    for (const file of ['hole-at-end', name]) {
      run('cmp', [join(temp.path, 'expected'), join(target, file)]);
      expect(statSync(join(target, file)).blocks * 512).toBeLessThan(1_000_000);
    }
    expect(statSync(join(target, 'all-hole')).size).toBe(1_000_000);
    expect(run('cat', [join(target, 'next')]).toString()).toBe('next');
  });

  it('extended attributes', async () => {
    const xattrs = new Map<string, Uint8Array>([
      ['user.plain', Buffer.from('value')],
      ['user.binary', Buffer.from([0, 10, 255, 61, 0])],
      ['user.a=b%c', Buffer.from('odd name')],
    ]);
    await writeStream(join(temp.path, 'a.tar'), tarOf([sampleEntry('/f', 'file', { data: 'x', xattrs })]));
    run('tar', ['--xattrs', '-xf', join(temp.path, 'a.tar'), '-C', target]);
    const shown = run('getfattr', ['-d', '-m', '.', '-e', 'hex', '--absolute-names', join(target, 'f')]).toString();
    for (const [name, value] of xattrs) {
      const shownName = name.replace('=', '\\075');
      expect(shown).toContain(`${shownName}=0x${Buffer.from(value).toString('hex')}`);
    }
  });

  it('large owners and sizes beyond octal are listed right', async () => {
    const zeros = { ...sampleContent(new Uint8Array(0)), sizeBytes: 9 * 1024 ** 3, segments: [] };
    const entry = sampleEntry('/huge', 'file', {
      uid: 3_000_000_000,
      gid: 5_000_000,
      userName: '',
      groupName: '',
      content: zeros,
    });
    await writeStream(join(temp.path, 'a.tar'), tarOf([entry]));
    const listing = run('tar', ['--numeric-owner', '-tvf', join(temp.path, 'a.tar')]).toString();
    expect(listing).toMatch(/3000000000\/5000000 9663676416 .* huge/);
  });
});

async function readAll(archive: Buffer, chunkSize = 65_536) {
  const entries: (Omit<RestoreEntry, 'content'> & { data: Buffer | null })[] = [];
  for await (const { content, ...entry } of readTar(inChunks(archive, chunkSize), { signal })) {
    entries.push({ ...entry, data: content && (await collect(content)) });
  }
  return entries;
}

const onDisk = (path: Uint8Array) => Buffer.concat([Buffer.from(`${temp.path}/`), path]);

/** Rounded towards the past, as tar does. */
function wholeSeconds(ns: bigint): bigint {
  const over = ns % 1_000_000_000n;
  return ns - (over < 0n ? over + 1_000_000_000n : over);
}

function expectSameContent(entry: Awaited<ReturnType<typeof readAll>>[number]): void {
  const original = lstatSync(onDisk(entry.path));
  expect(entry.type === 'directory').toBe(original.isDirectory());
  if (entry.type !== 'file') return;
  expect(entry.sizeBytes).toBe(original.size);
  expect(entry.data?.equals(readFileSync(onDisk(entry.path)))).toBe(true);
}

describe('we read archives of GNU tar', () => {
  it.each(['gnu', 'pax', 'oldgnu'])('--format=%s', async (format) => {
    makeTree();
    const entries = await readAll(run('tar', [`--format=${format}`, '-C', temp.path, '-cf', '-', 'source']));
    expect(entries).toHaveLength(17);
    for (const entry of entries) {
      const original = lstatSync(onDisk(entry.path), { bigint: true });
      expect(entry.mode).toBe(Number(original.mode) & 0o7777);
      expect(entry.modifiedAtNs).toBe(format === 'pax' ? original.mtimeNs : wholeSeconds(original.mtimeNs));
      expectSameContent(entry);
    }
    const link = entries.find((entry) => Buffer.from(entry.path).toString().endsWith('/long-link'));
    expect(Buffer.from(link?.linkTarget ?? []).toString()).toBe('x'.repeat(180));
    expect(entries.filter((entry) => entry.type === 'hardlink')).toHaveLength(1);
  });

  it.each(['ustar', 'v7'])('--format=%s, which cannot hold every name and time', async (format) => {
    makeTree();
    const script = `tar --format=${format} -C "$0" -cf - source 2>/dev/null || true`;
    const entries = await readAll(run('bash', ['-c', script, temp.path]));
    expect(entries.length).toBeGreaterThan(8);
    for (const entry of entries) expectSameContent(entry);
  });

  it.each([
    ['oldgnu', []],
    ['gnu', []],
    ['pax', ['--sparse-version=0.0']],
    ['pax', ['--sparse-version=0.1']],
    ['pax', ['--sparse-version=1.0']],
  ])('sparse files, --format=%s %s', async (format, extra) => {
    const script = `cd "$0" && truncate -s 30000000 sparse && for i in $(seq 1 40); do
      printf "data %d" $i | dd of=sparse bs=1 seek=$((i * 700000)) conv=notrunc status=none; done; truncate -s 2000000 hole`;
    run('bash', ['-c', script, source]);
    const args = [`--format=${format}`, ...extra, '-S', '-C', source, '-cf', '-', 'sparse', 'hole'];
    const archive = run('tar', args);
    expect(archive.byteLength).toBeLessThan(1_000_000);
    const [sparse, hole] = await readAll(archive, 1000);
    const whole = Buffer.alloc(sparse?.sizeBytes ?? 0);
    let from = 0;
    for (const { offset, length } of sparse?.segments ?? []) {
      sparse?.data?.copy(whole, offset, from, from + length);
      from += length;
    }
    expect(from).toBe(sparse?.data?.byteLength);
    expect(Buffer.from(sparse?.path ?? []).toString()).toBe('sparse');
    expect(whole.equals(run('cat', [join(source, 'sparse')]))).toBe(true);
    expect(hole).toMatchObject({ sizeBytes: 2_000_000, segments: [] });
  });

  it('extended attributes', async () => {
    writeFileSync(join(source, 'f'), 'x');
    run('setfattr', ['-n', 'user.note', '-v', '0x00ff3d0a', join(source, 'f')]);
    const entries = await readAll(run('tar', ['--xattrs', '-C', source, '-cf', '-', 'f']));
    expect(Buffer.from(entries[0]?.xattrs?.get('user.note') ?? []).toString('hex')).toBe('00ff3d0a');
  });

  it('compressed by the stock programs', async () => {
    makeTree();
    const plain = await readAll(run('tar', ['-C', temp.path, '-cf', '-', 'source']));
    for (const [algorithm, flag] of [
      ['gzip', '-z'],
      ['zstd', '--zstd'],
    ] as const) {
      const packed = run('tar', [flag, '-C', temp.path, '-cf', '-', 'source']);
      const archive = await collect(decompress(inChunks(packed, 10_000), algorithm, { signal }));
      expect((await readAll(archive)).map(({ path, sizeBytes }) => [path, sizeBytes])).toEqual(
        plain.map(({ path, sizeBytes }) => [path, sizeBytes]),
      );
    }
  });
});
