import type http from 'node:http';
import { AppError } from '@backupx/contracts/errors';
import type { OpenRequest } from './rest-connection.ts';

/**
 * Writes the body as fast as the connection takes it and ends the request. Throws what the body throws, and
 * STORAGE_FAILED when it is not as long as was announced; a broken connection shows as the missing answer.
 */
export async function sendBody(
  { request, patience }: OpenRequest,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  sizeBytes: number,
): Promise<void> {
  let missing = sizeBytes;
  try {
    for await (const chunk of chunks) {
      missing -= chunk.byteLength;
      if (missing < 0) break;
      if (request.destroyed) return;
      await patience.wait(written(request, chunk));
    }
  } catch (error) {
    request.destroy();
    throw error;
  }
  if (missing === 0) {
    request.end();
    return;
  }
  request.destroy();
  throw new AppError('STORAGE_FAILED', { reason: 'the file is not as long as was announced' });
}

/** Waits until the chunk has left, so that its memory may be used again. */
function written(request: http.ClientRequest, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      request.off('close', done);
      resolve();
    };
    request.once('close', done);
    request.write(chunk, done);
  });
}
