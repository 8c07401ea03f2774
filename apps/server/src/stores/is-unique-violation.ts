/** True for the database's complaint about a name (or another unique value) that exists already; both dialects. */
export function isUniqueViolation(error: unknown): boolean {
  const { message = '', code = '' } = error as { message?: string; code?: string };
  return message.includes('UNIQUE constraint failed') || code === '23505';
}
