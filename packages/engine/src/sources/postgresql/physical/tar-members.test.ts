import { expect, it } from 'vitest';
import { TarError, tarMembers } from './tar-members.ts';

/** One member as a server writes it. */
function member(name: string, content: string, more: { size?: Buffer; type?: string } = {}): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, size: number) => `${value.toString(8).padStart(size - 1, '0')} `;
  header.write(name, 0, 'latin1');
  header.write(octal(0o600, 8), 100);
  header.write(octal(105, 8), 108);
  header.write(octal(113, 8), 116);
  if (more.size) more.size.copy(header, 124);
  else header.write(octal(content.length, 12), 124);
  header.write(octal(1_800_000_000, 12), 136);
  header.write(more.type ?? '0', 156);
  header.write('ustar\0', 257, 'latin1');
  header.write('postgres', 265);
  header.write('        ', 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(octal(sum, 8), 148);
  return Buffer.concat([header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const END = Buffer.alloc(1024);

/** In pieces of an odd size, so that nothing lies where a piece begins. */
async function read(archive: Buffer) {
  async function* pieces() {
    for (let at = 0; at < archive.byteLength; at += 333) yield archive.subarray(at, at + 333);
  }
  const found: [string, string, string][] = [];
  for await (const { path, type, content } of tarMembers(pieces())) {
    const chunks: Uint8Array[] = [];
    if (path !== 'skipped') for await (const chunk of content) chunks.push(Uint8Array.from(chunk));
    found.push([type, path, Buffer.concat(chunks).toString()]);
  }
  return found;
}

it('reads files and folders, and skips what nobody reads', async () => {
  const archive = [
    member('base/', '', { type: '5' }),
    member('base/1', 'x'.repeat(1000)),
    member('skipped', 'y'.repeat(700)),
    member('./pg_wal/a', ''),
  ];
  expect(await read(Buffer.concat([...archive, END]))).toEqual([
    ['directory', 'base', ''],
    ['file', 'base/1', 'x'.repeat(1000)],
    ['file', 'skipped', ''],
    ['file', 'pg_wal/a', ''],
  ]);
});

it('knows sizes in base 256, which large files have', async () => {
  const size = Buffer.alloc(12);
  size[0] = 0x80;
  size[11] = 5;
  expect(await read(Buffer.concat([member('large', 'abcde', { size }), END]))).toEqual([['file', 'large', 'abcde']]);
});

it('throws for whatever is not whole', async () => {
  const good = Buffer.concat([member('a', 'x'.repeat(600)), END]);
  const broken = Buffer.from(good);
  broken[3] = 1;
  for (const archive of [
    good.subarray(0, 900),
    good.subarray(0, 1536),
    broken,
    Buffer.concat([good, Buffer.from('x')]),
  ]) {
    await expect(read(archive)).rejects.toThrow(TarError);
  }
});
