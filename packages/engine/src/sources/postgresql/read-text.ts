import { AppError } from '@backupx/contracts/errors';

const MAX_BYTES = 256 * 1024 * 1024;

/** The whole of a small file of an artifact. Throws ARTIFACT_DAMAGED for one that cannot be one. */
export async function readText(content: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new AppError('ARTIFACT_DAMAGED', { reason: 'a list in it is too long' });
    chunks.push(Uint8Array.from(chunk));
  }
  return Buffer.concat(chunks).toString('utf8');
}
