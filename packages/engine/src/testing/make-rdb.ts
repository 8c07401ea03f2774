/** Dumps of Redis for tests, byte by byte, with a right checksum. */
import { CRC64_JONES, Crc64 } from '../ports/crc64.ts';

/** Numbers are bytes. */
export const rdbBytes = (...parts: (number | string | Buffer)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part as string))));

/** A short string with its length. */
export const rdbText = (value: string): Buffer => rdbBytes(value.length, value);

/** A key with a value of this type. */
export const rdbKey = (type: number, value: Buffer, name = 'k'): Buffer => rdbBytes(type, rdbText(name), value);

/** A whole file. */
export function makeRdb(body: Buffer, magic = 'REDIS0012', version = '7.4.1'): Buffer {
  const whole = rdbBytes(magic, 0xfa, rdbText('redis-ver'), rdbText(version), body, 0xff);
  const crc = new Crc64(CRC64_JONES);
  crc.update(whole);
  return rdbBytes(whole, Buffer.from(crc.digest()));
}
