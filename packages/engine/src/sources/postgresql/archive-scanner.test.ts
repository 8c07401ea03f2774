import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ArchiveScanner, scanned } from './archive-scanner.ts';
import { dumpObjects } from './dump-inventory.ts';

/** What pg_dump 15.18 wrote (-Fc -Z0) of a table `t` with five rows and a table `x y` with one; packed. */
const DUMP = inflateSync(
  Buffer.from(
    'eNqtVV1v0zAUzdiAETHEJAbjBV3tpZ3oqib9UCc0odBkW0WaRGkATUKq0sTrIrokarwxXpD4k/B3sG+Sfq0dYxDJjo597XuO74ljHakda+WJsL' +
      'a+IuAj8q7EOxx4NR77LuTPOmtxlNDBiCQYINXLUhOKKukHbgiI9iqvfdKX5Atp9zYhmOHZRp6Bp65kPc+mGS1TbRtHs+BeTrCrOeANAxLSHgm9' +
      'yA/CARxA4YNz2Cy8EVf4Pks74T5rp+4wIQhXxyq3FrLhRLuO2nVsxqA7D5FRMWOUUDf03ZHf86LwNBqdM1a9hI7YK+HsovDu3J4v56YpduvYUp' +
      'zjeYjcmjimay0H4kHPc6k7jAblhFAkGQyKhYS4I++sF7v0rFCCAmtIYPfOXF+Mua5xH8gNGenWZ23Egao4yjulq6VUY9ZatqY4GuQTkIfDp7Zz' +
      'DI7WsXQ+fwCUnMdDl5IK5O4YGwB0s6XoWs+yzY9tVbPZxDDoe9kwD2uVWeAet4qwzWnYpnU95WL9syKWHcH2wnJtTkkepxEectlmp6MZTvoFGp' +
      'MBMI0FZ9HuQsEnp+7FkILrM5sFzGUuDS4JsKKGxKNBFILPat13E3KT6ZaowcJVq3VpTtZPYbay9X1cIzWqzRpyp4gZXz2r6dtJTXEU4ov+MPDK' +
      'FIoisCfwIQgpGZARGKYDxgddL+HEJavwFRWZC4WtvESzO2SyhAdcAo5NqJ0RN75dpX4tlbQvYdgVfJsXtbdE1A6L3cmEubkulPByoQSM/z8ynm' +
      '7k93dqtfmyiLkCtBMunHLBDjrOOpmqTuCX4HIXDm2zw+41dsEyFROKf3YQzyBLtTRwTHNzMc2po/47otmJu/9MtD5H9MfjaVvIjUpjzDX9QVGg' +
      'vfgLSQm3TIP9EJQ2+4J5uHDImqI77OpJpZiGPjlbtIeiqjBZle0Flt3uKPYJvNdOeAW4c+SbtgL01LV9lljq1vVanVxe6Cu+RHo0ir6CJCKQEc' +
      'gpqCKopqCGoJaCOoK6iGk+l0VRzHZFG/BPSZqf+w0kwW63',
    'base64',
  ),
);

function scan(bytes: Buffer, step = bytes.byteLength): ArchiveScanner {
  const scanner = new ArchiveScanner();
  for (let at = 0; at < bytes.byteLength; at += step) scanner.push(bytes.subarray(at, at + step));
  return scanner;
}

describe('a dump', () => {
  it('is read the same however its bytes are cut', () => {
    for (const step of [1, 2, 3, 7, 64, 1000, DUMP.byteLength]) {
      const scanner = scan(DUMP, step);
      const toc = scanner.end();
      expect(toc).toMatchObject({ database: 'postgres', dumpVersion: expect.stringMatching(/^15\.18 /) });
      expect(dumpObjects(toc, scanner)).toEqual([
        { kind: 'table', name: 'public.t', rows: 5 },
        { kind: 'table', name: 'public."x y"', rows: 1 },
        { kind: 'constraint', name: 'public."t t_pkey"' },
      ]);
    }
  });

  it('is not whole when anything is missing at its end', () => {
    for (let length = 0; length < DUMP.byteLength; length += 1) {
      expect(() => scan(DUMP.subarray(0, length)).end(), `${length} bytes`).toThrow(/^it ends|cut off/);
    }
  });

  it('is refused when there is more than it tells of, or it is none', () => {
    expect(() => scan(Buffer.concat([DUMP, Buffer.from([1, 0, 16, 13, 0, 0])]))).toThrow('contents do not tell of');
    expect(() => scan(Buffer.concat([DUMP, Buffer.from([9, 0, 0, 0, 0, 0])]))).toThrow('its data is damaged');
    expect(() => scan(Buffer.from('-- PostgreSQL database dump'))).toThrow('no dump in the custom format');
    const newer = Buffer.from(DUMP);
    newer[6] = 99;
    expect(() => scan(newer)).toThrow('its format 1.99 is not known');
    const compressed = Buffer.from(DUMP);
    compressed[12] = 6;
    expect(() => scan(compressed)).toThrow('compressed inside');
  });

  it('passes on unchanged, and fails as asked when it is damaged', async () => {
    const read = async (bytes: Buffer) => {
      const chunks: Uint8Array[] = [];
      const source = (async function* () {
        for (let at = 0; at < bytes.byteLength; at += 100) yield bytes.subarray(at, at + 100);
      })();
      for await (const chunk of scanned(source, new ArchiveScanner(), (reason) => new Error(`bad: ${reason}`))) {
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    };
    expect((await read(DUMP)).equals(DUMP)).toBe(true);
    await expect(read(DUMP.subarray(0, 2000))).rejects.toThrow(/^bad: it ends/);
  });
});
