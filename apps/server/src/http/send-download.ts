/** Streams made on the way to whoever downloads them: their size is not known before. */
import type { FastifyReply } from 'fastify';
import { bodyOf, closeQuietly, withFirst } from './body-of.ts';

/** A file name for `Content-Disposition`, RFC 6266: an ASCII one for old programs and the true one for the others. */
export function contentDisposition(fileName: string): string {
  const ascii = fileName.replace(/[^\x20-\x7e]|["\\]/g, '_');
  const encoded = encodeURIComponent(fileName).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}

/**
 * A reader that takes nothing and does not hang up would keep what the stream holds (threads, a lease that holds up
 * clean-ups) for ever. Long, because a slow storage keeps it waiting too.
 */
const SILENCE_MS = 10 * 60_000;

/**
 * Resolves when everything is sent and what it came from is closed. Throws what fails before the first byte; later
 * failures cut the connection.
 */
export async function sendDownload(
  reply: FastifyReply,
  stream: AsyncIterable<Uint8Array>,
  about: { readonly fileName: string; readonly contentType: string; readonly silenceMs?: number },
): Promise<void> {
  const chunks = stream[Symbol.asyncIterator]();
  const first = await chunks.next();
  reply.header('content-type', about.contentType);
  reply.header('content-disposition', contentDisposition(about.fileName));
  reply.header('cache-control', 'no-store');
  const body = bodyOf(withFirst(first, chunks), chunks);
  reply.raw.setTimeout(about.silenceMs ?? SILENCE_MS, () => reply.raw.destroy());
  const done = new Promise<void>((settle) => body.once('close', settle));
  reply.send(body);
  await done;
  await closeQuietly(chunks);
}
