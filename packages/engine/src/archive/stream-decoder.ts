/** Decoding by the runtime's zlib streams, with the errors of an artifact. */
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '@backupx/contracts/errors';
import type { Compression } from '@backupx/contracts/jobs';
import { cancelledError } from '../ports/pull-body.ts';

/** What comes out of `decoder` when `body` is put into it. Throws ARTIFACT_DAMAGED, CANCELLED, and what `body` throws. */
export async function* decodeStream(
  decoder: Transform,
  body: AsyncIterable<Uint8Array>,
  { algorithm, signal }: { readonly algorithm: Compression; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  // What the reader of a destroyed decoder sees may be a mere "premature close"; the pipeline knows the first cause.
  let failure: unknown = null;
  const feeding = pipeline(Readable.from(body), decoder, { signal }).catch((error: unknown) => {
    failure = error;
  });
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array;
    await feeding;
    if (failure) throw failure;
  } catch (error) {
    await feeding;
    throw decodingError(failure ?? error, algorithm, signal);
  } finally {
    decoder.destroy();
    await feeding;
  }
}

/** ARTIFACT_DAMAGED for what the runtime's decoders throw, CANCELLED after a cancellation, everything else as it is. */
export function decodingError(error: unknown, algorithm: Compression, signal: AbortSignal): unknown {
  if (error instanceof AppError) return error;
  if (signal.aborted) return cancelledError(signal);
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && /^(Z_|ZSTD_)/.test(code)) {
    const reason = code === 'Z_BUF_ERROR' ? `the ${algorithm} data ends early` : `the ${algorithm} data is corrupt`;
    return new AppError('ARTIFACT_DAMAGED', { reason }, { cause: error });
  }
  return error;
}
