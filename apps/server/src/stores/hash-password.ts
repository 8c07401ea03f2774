/** Passwords at rest: argon2id with the OWASP minimum (19 MiB, 2 passes, 1 lane), about 40 ms on the thread pool. */
import { hash, verify } from '@node-rs/argon2';

const settings = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** PHC string; every call has its own salt. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, settings);
}

let decoy: Promise<string> | undefined;

/** False also for `null` (no such user), after the same time, so that the answer does not tell which names exist. */
export async function isPasswordOf(passwordHash: string | null, password: string): Promise<boolean> {
  decoy ??= hashPassword('nobody has this password');
  const matches = await verify(passwordHash ?? (await decoy), password).catch(() => false);
  return passwordHash !== null && matches;
}
