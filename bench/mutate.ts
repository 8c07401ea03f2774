/** Changes one per cent of a corpus and, called again, changes it back: stretches of bytes are reversed in place. */
import { closeSync, fstatSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';

/** One file in a hundred as a whole; of files from 4 MiB up one per cent each, in `stretches` places. */
export function mutateCorpus(folder: string, stretches: number): void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== '.complete')
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
  files.forEach((file, index) => {
    const fd = openSync(file, 'r+');
    const size = fstatSync(fd).size;
    if (size >= 4 * 1024 * 1024) {
      const length = Math.floor(size / 100 / stretches);
      for (let one = 0; one < stretches; one++) reverseBytes(fd, Math.floor(((one + 0.37) * size) / stretches), length);
    } else if (index % 100 === 42) {
      reverseBytes(fd, 0, size);
    }
    closeSync(fd);
  });
}

function reverseBytes(fd: number, at: number, length: number): void {
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, at);
  writeSync(fd, bytes.reverse(), 0, length, at);
}
