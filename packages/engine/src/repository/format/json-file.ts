/** Reading the small JSON files of a repository: types are checked before anything is believed. */
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';

/** The bytes as JSON that fits `schema`. Throws REPOSITORY_DAMAGED, naming `what`. */
export function parseJsonFile<S extends z.ZodType>(what: string, bytes: Uint8Array, schema: S): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    throw new AppError('REPOSITORY_DAMAGED', { reason: `${what} is not JSON` }, { cause: error });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue ? `${issue.path.join('.')}: ${issue.message}` : 'unknown';
  throw new AppError(
    'REPOSITORY_DAMAGED',
    { reason: `${what} is not as it should be (${where})` },
    { cause: parsed.error },
  );
}

/** An id in hex. */
export const hexIdSchema = z.string().regex(/^[0-9a-f]{64}$/);
