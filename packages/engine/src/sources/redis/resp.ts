/** Redis's protocol, version 2: commands out, replies in. */
import type { ByteStream } from './byte-stream.ts';

/** A reply that says no; its first word is a code. */
export class RedisRefusal extends Error {
  get code(): string {
    return this.message.split(' ', 1)[0] ?? '';
  }
}

export type RedisReply = string | number | Buffer | null | RedisRefusal | RedisReply[];
export type RedisArgument = string | number | Uint8Array;

/** The bytes of a command. */
export function encodeCommand(words: readonly RedisArgument[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = word instanceof Uint8Array ? word : Buffer.from(String(word), 'utf8');
    parts.push(Buffer.from(`$${bytes.byteLength}\r\n`), bytes, CRLF);
  }
  return Buffer.concat(parts);
}

const CRLF = Buffer.from('\r\n');

/** The next reply. Throws when it is not of this protocol. */
export async function readReply(stream: ByteStream): Promise<RedisReply> {
  const line = await stream.line();
  const rest = line.slice(1);
  switch (line.charAt(0)) {
    case '+':
      return rest;
    case '-':
      return new RedisRefusal(rest);
    case ':':
      return Number(rest);
    case '$': {
      if (Number(rest) < 0) return null;
      const bytes = await stream.bytes(countOf(rest) + 2);
      return bytes.subarray(0, -2);
    }
    case '*': {
      if (Number(rest) < 0) return null;
      const items: RedisReply[] = [];
      for (let left = countOf(rest); left > 0; left -= 1) items.push(await readReply(stream));
      return items;
    }
    default:
      throw new Error('its answer is not of this protocol');
  }
}

function countOf(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new Error('its answer is not of this protocol');
  return Number(text);
}
