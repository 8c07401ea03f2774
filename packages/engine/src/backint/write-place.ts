/** Where a restore goes: into a pipe that the database made, or into a file, which appears only when it is whole. */
import { randomBytes } from 'node:crypto';
import { constants, openSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { writeWholeFile } from '../direct-storage/write-whole-file.ts';
import { openPatiently } from './open-patiently.ts';
import type { PlaceOptions } from './read-place.ts';

/** Writes `data` to `path`. When it throws, a file is as it was before, and a pipe has got less than everything. */
export async function writePlace(path: string, data: AsyncIterable<Uint8Array>, options: PlaceOptions): Promise<void> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFIFO()) await writePipe(path, data, options);
  else if (stats === undefined || stats.isFile())
    await writeWholeFile(path, data, `${path}.backupx-${randomBytes(6).toString('hex')}.part`);
  else throw new Error(`${path} is neither a pipe nor a file`);
}

async function writePipe(path: string, data: AsyncIterable<Uint8Array>, options: PlaceOptions): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_NONBLOCK;
  const fd = await openPatiently(() => openSync(path, flags), path, options);
  const pipe = new Socket({ fd, readable: false, writable: true });
  await pipeline(Readable.from(data, { objectMode: true, highWaterMark: 1 }), pipe, { signal: options.signal });
}
