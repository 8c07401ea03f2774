/**
 * Key files: the master key, sealed with a key that scrypt makes out of a password (internal/repository/key.go). A
 * repository may have many, one per password; each holds the same master key.
 */
import { randomBytes, scrypt } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';
import { parseJsonFile } from './json-file.ts';
import { type MasterKey, splitKey } from './master-key.ts';
import { createSealedBox } from './sealed-box.ts';

/** Parameters of scrypt: N (a power of two) and r set memory (128·N·r bytes), p the time. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

export interface NewKeyFile {
  readonly password: string;
  readonly masterKey: MasterKey;
  readonly username: string;
  readonly hostname: string;
  /** RFC 3339. */
  readonly created: string;
  /** Left out: about half a second and 32 MiB, like restic's. */
  readonly cost?: ScryptCost;
}

/** What a key file says openly. */
export interface KeyFileInfo {
  readonly username: string;
  readonly hostname: string;
  readonly created: string;
}

const DEFAULT_COST: ScryptCost = { N: 32768, r: 8, p: 5 };
const SALT_BYTES = 64;
const MIB = 1024 * 1024;
/** A stranger's key file must not make us use up all memory: four times what restic ever asks for. */
const MAX_MEMORY_BYTES = 256 * MIB;
/**
 * Nor keep us busy: bytes that scrypt goes through in all, some five seconds of them. restic has no such limit; it makes
 * keys of half a second on the machine at hand, 160 to 400 MiB.
 */
const MAX_WORK_BYTES = 2048 * MIB;
const USUAL_WORK_BYTES = 256 * MIB;

const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/);
const keyFileSchema = z.object({
  created: z.string().default(''),
  username: z.string().default(''),
  hostname: z.string().default(''),
  kdf: z.literal('scrypt'),
  N: z.number().int().min(2),
  r: z.number().int().min(1),
  p: z.number().int().min(1),
  salt: base64,
  data: base64,
});
const sealedKeySchema = z.object({ mac: z.object({ k: base64, r: base64 }), encrypt: base64 });

/** The bytes of a key file, in restic's field order. */
export async function createKeyFile(options: NewKeyFile): Promise<Buffer> {
  const { masterKey, created, username, hostname, cost = DEFAULT_COST } = options;
  const salt = randomBytes(SALT_BYTES);
  const box = createSealedBox(await deriveKey(options.password, salt, cost));
  const secret = {
    mac: { k: toBase64(masterKey.macK), r: toBase64(masterKey.macR) },
    encrypt: toBase64(masterKey.encrypt),
  };
  const data = box.seal(Buffer.from(JSON.stringify(secret)));
  const { N, r, p } = cost;
  const file = { created, username, hostname, kdf: 'scrypt', N, r, p, salt: toBase64(salt), data: toBase64(data) };
  return Buffer.from(JSON.stringify(file));
}

/**
 * The master key in a key file; null when the password does not open it. Throws REPOSITORY_DAMAGED for a file that is
 * no key file or asks for absurd amounts of work. Runs in the thread pool.
 */
export async function openKeyFile(bytes: Uint8Array, password: string): Promise<MasterKey | null> {
  const { N, r, p, salt, data } = parseJsonFile('a key file', bytes, keyFileSchema);
  const userKey = await deriveKey(password, Buffer.from(salt, 'base64'), { N, r, p });
  const sealed = Buffer.from(data, 'base64');
  let opened: Buffer;
  try {
    opened = createSealedBox(userKey).open(sealed);
  } catch {
    return null;
  }
  const { mac, encrypt } = parseJsonFile('a master key', opened, sealedKeySchema);
  const key = Buffer.concat([encrypt, mac.k, mac.r].map((text) => Buffer.from(text, 'base64')));
  if (key.byteLength !== 64) throw new AppError('REPOSITORY_DAMAGED', { reason: 'a master key has a wrong length' });
  return splitKey(key);
}

/** Throws REPOSITORY_DAMAGED for what `openKeyFile` refuses whatever the password is. */
export function assertKeyFile(bytes: Uint8Array): void {
  assertAffordable(parseJsonFile('a key file', bytes, keyFileSchema));
}

/** Whether a key file asks for more work than most; such are better tried last. Throws REPOSITORY_DAMAGED. */
export function isCostly(bytes: Uint8Array): boolean {
  return workOf(parseJsonFile('a key file', bytes, keyFileSchema)) > USUAL_WORK_BYTES;
}

/** Who made a key file when, also of one that asks for too much. Throws REPOSITORY_DAMAGED. */
export function parseKeyFile(bytes: Uint8Array): KeyFileInfo {
  const { username, hostname, created } = parseJsonFile('a key file', bytes, keyFileSchema);
  return { username, hostname, created };
}

function deriveKey(password: string, salt: Uint8Array, cost: ScryptCost): Promise<MasterKey> {
  assertAffordable(cost);
  const { N, r, p } = cost;
  // OpenSSL counts two blocks of its own besides the table and the blocks that the p uses begin with.
  const options = { N, r, p, maxmem: 128 * r * (N + p + 2) + MIB };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 64, options, (error, key) => (error ? reject(error) : resolve(splitKey(key))));
  });
}

function assertAffordable(cost: ScryptCost): void {
  if (!Number.isInteger(Math.log2(cost.N))) throw unaffordable(`N = ${cost.N}, which is no power of two`);
  // RFC 7914, 2: such an N cannot be had from so small a block.
  if (Math.log2(cost.N) >= 16 * cost.r) throw unaffordable(`N = ${cost.N} with r = ${cost.r}`);
  const memory = memoryOf(cost);
  if (memory > MAX_MEMORY_BYTES) throw unaffordable(`${inMib(memory)} of memory, ${inMib(MAX_MEMORY_BYTES)} at most`);
  const work = workOf(cost);
  if (work > MAX_WORK_BYTES) throw unaffordable(`${inMib(work)} of scrypt, ${inMib(MAX_WORK_BYTES)} at most`);
}

/** Of the table, or of what its p uses begin with, whichever is larger. */
function memoryOf({ N, r, p }: ScryptCost): number {
  return 128 * r * Math.max(N, p);
}

function workOf({ N, r, p }: ScryptCost): number {
  return 128 * N * r * p;
}

function inMib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

function unaffordable(what: string): AppError {
  return new AppError('REPOSITORY_DAMAGED', { reason: `a key file asks for ${what}` });
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
