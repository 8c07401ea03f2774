import { AppError } from '@backupx/contracts/errors';

const MAX_TEXT_BYTES = 64 * 1024 * 1024;

/** A list out of a backup, whole. Throws ARTIFACT_DAMAGED when it is too long for one. */
export async function readText(content: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (size > MAX_TEXT_BYTES) throw new AppError('ARTIFACT_DAMAGED', { reason: 'a list in it is too long' });
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks).toString('utf8');
}
