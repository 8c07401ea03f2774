/**
 * Generated test data, the same on every machine: a seeded generator, text made of a vocabulary with a natural
 * frequency curve (so that compression behaves as on real text), and a share of incompressible bytes.
 */
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';

export interface Corpus {
  readonly name: string;
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
}

/** sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state and no short cycles, which zstd would find. */
function createRandom(seed: number): () => number {
  let [a, b, c, counter] = [seed, seed ^ 0x9e3779b9, 0x243f6a88, 1];
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4_294_967_296;
  };
  for (let index = 0; index < 16; index++) next();
  return next;
}

function createVocabulary(random: () => number): string[] {
  return Array.from({ length: 4000 }, () =>
    Array.from({ length: 2 + Math.floor(random() * 9) }, () =>
      String.fromCharCode(97 + Math.floor(random() * 26)),
    ).join(''),
  );
}

function fillText(target: Buffer, vocabulary: readonly string[], random: () => number): void {
  let at = 0;
  while (at < target.length) {
    const word = vocabulary[Math.floor(vocabulary.length * random() ** 3)] ?? 'word';
    const separator = random() < 0.08 ? `;\n  "${Math.floor(random() * 1e6)}": ` : ' ';
    at += target.write(word + separator, at, 'latin1');
  }
}

function fillNoise(target: Buffer, random: () => number): void {
  for (let at = 0; at + 4 <= target.length; at += 4) target.writeUInt32LE(Math.floor(random() * 4_294_967_296), at);
}

/** Far more than any window of a compressor, so that what repeats is the vocabulary and not the file. */
const TEXT_POOL_BYTES = 64 * 1024 * 1024;

/** Many small files in nested folders; sizes follow a long-tailed curve around 6 KB, or `sizeFactor` times that. */
export function createSmallFiles(workFolder: string, scale: number, sizeFactor = 1): Corpus {
  const files = Math.round(40_000 * scale);
  const folder = path.join(workFolder, `small-files-${files}${sizeFactor === 1 ? '' : `-${sizeFactor}`}`);
  const random = createRandom(7);
  const vocabulary = createVocabulary(random);
  const text = Buffer.alloc(TEXT_POOL_BYTES);
  const noise = Buffer.alloc(TEXT_POOL_BYTES / 8);
  fillText(text, vocabulary, random);
  fillNoise(noise, random);
  let bytes = 0;
  const isComplete = existsSync(path.join(folder, '.complete'));
  if (!isComplete) rmSync(folder, { recursive: true, force: true });
  for (let index = 0; index < files; index++) {
    const size = Math.min(400_000, Math.floor(sizeFactor * (600 + 4000 * (-Math.log(1 - random())) ** 1.6)));
    const pool = index % 12 === 0 ? noise : text;
    const start = Math.floor(random() * (pool.length - size));
    bytes += size;
    if (isComplete) continue;
    const subFolder = path.join(folder, `d${index % 37}`, `e${Math.floor(index / 37) % 29}`);
    if (index < 37 * 29) mkdirSync(subFolder, { recursive: true });
    writeFileSync(path.join(subFolder, `file-${index}.txt`), pool.subarray(start, start + size));
  }
  if (!isComplete) writeFileSync(path.join(folder, '.complete'), '');
  return { name: `${files} small files`, folder, files, bytes };
}

/** Three large files: text, half text and half noise, noise. */
export function createLargeFiles(workFolder: string, scale: number): Corpus {
  const blocks = Math.round(80 * scale);
  const folder = path.join(workFolder, `large-files-${blocks}`);
  const blockSize = 4 * 1024 * 1024;
  if (!existsSync(path.join(folder, '.complete'))) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const random = createRandom(11);
    const vocabulary = createVocabulary(random);
    const block = Buffer.alloc(blockSize);
    for (const [name, noiseShare] of [
      ['text.sql', 0],
      ['mixed.bin', 0.5],
      ['noise.dat', 1],
    ] as const) {
      const fd = openSync(path.join(folder, name), 'w');
      for (let index = 0; index < blocks; index++) {
        if (random() < noiseShare) fillNoise(block, random);
        else fillText(block, vocabulary, random);
        writeSync(fd, block);
      }
      closeSync(fd);
    }
    writeFileSync(path.join(folder, '.complete'), '');
  }
  return { name: '3 large files', folder, files: 3, bytes: 3 * blocks * blockSize };
}

const SQL_BLOCK_ROWS = 10_000;

function sqlRow(id: number, vocabulary: readonly string[], random: () => number): string {
  const word = (): string => vocabulary[Math.floor(vocabulary.length * random() ** 3)] ?? 'word';
  const number = (below: number): number => Math.floor(random() * below);
  const digits = (value: number): string => String(value).padStart(2, '0');
  const time = `2026-${digits(1 + number(12))}-${digits(1 + number(28))} ${digits(number(24))}:${digits(number(60))}:${digits(number(60))}`;
  const address = `${word()} ${word()} ${1 + number(200)}`;
  const note = Array.from({ length: number(24) }, word).join(' ');
  return `(${id},'${word()}.${word()}@${word()}.example','${address}',${number(100_000) / 100},'${time}',${number(5)},'${note}')`;
}

/** One dump as mysqldump writes it: 500 MB of INSERT statements with ten rows each. */
export function createSqlDump(workFolder: string, scale: number): Corpus {
  const bytes = Math.round(500_000_000 * scale);
  const folder = path.join(workFolder, `sql-dump-${bytes}`);
  if (!existsSync(path.join(folder, '.complete'))) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const random = createRandom(13);
    const vocabulary = createVocabulary(random);
    const fd = openSync(path.join(folder, 'dump.sql'), 'w');
    for (let id = 1, written = 0; written < bytes; ) {
      let block = '';
      for (const end = id + SQL_BLOCK_ROWS; id < end; id++) {
        const isFirst = id % 10 === 1;
        block += `${isFirst ? 'INSERT INTO `orders` VALUES ' : ''}${sqlRow(id, vocabulary, random)}${id % 10 === 0 ? ';\n' : ','}`;
      }
      written += writeSync(fd, block);
    }
    closeSync(fd);
    writeFileSync(path.join(folder, '.complete'), '');
  }
  return { name: 'SQL dump', folder, files: 1, bytes };
}
