/**
 * Encryption in the age format, version 1 (https://age-encryption.org/v1): any `age` program opens what we write.
 * Header and key wrapping are done by the `age-encryption` package; the payload (64 KiB pieces, each sealed with
 * ChaCha20-Poly1305, nonce = 11-byte counter and a last-piece flag) by the runtime's OpenSSL, which is ten times faster.
 * Writing needs recipients only, so a machine can encrypt what it cannot read back.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { throwIfCancelled } from '../ports/pull-body.ts';
import { type OpenOptions, openPayload, type SealOptions, sealPayload } from './age-payload.ts';
import { ByteSource } from './byte-source.ts';

const VERSION_LINE = 'age-encryption.org/v1\n';
const MAC_LINE_START = '\n---';
const MAX_HEADER_BYTES = 64 * 1024;
const NONCE_BYTES = 16;
const FILE_KEY_BYTES = 16;
const TAG_BYTES = 16;

/** Loaded when first needed: the package and its curves are a good part of a thread's start. */
const loadAge = () => import('age-encryption');

/** A new X25519 identity (`AGE-SECRET-KEY-1…`, secret) and its recipient (`age1…`, public). */
export async function createAgeKey(): Promise<{ identity: string; recipient: string }> {
  const { generateX25519Identity, identityToRecipient } = await loadAge();
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/**
 * Encrypts a stream so that each of `recipients` can open it. Throws INVALID_INPUT for a recipient that is none,
 * CANCELLED, and what `body` throws. A chunk is valid until the next is asked for.
 */
export async function* encryptAge(
  body: AsyncIterable<Uint8Array>,
  recipients: readonly string[],
  options: SealOptions,
): AsyncGenerator<Uint8Array> {
  throwIfCancelled(options.signal);
  const { header, fileKey } = await createHeader(recipients);
  const nonce = randomBytes(NONCE_BYTES);
  yield Buffer.concat([header, nonce]);
  yield* sealPayload(body, payloadKey(fileKey, nonce), options);
}

/**
 * Decrypts a stream with the first of `identities` that fits. Throws ARTIFACT_KEY_WRONG when none does,
 * ARTIFACT_DAMAGED when header or payload are not whole, CANCELLED, and what `body` throws.
 * Every chunk yielded is authentic; that the stream is complete is known only when it ends without an error.
 */
export async function* decryptAge(
  body: AsyncIterable<Uint8Array>,
  identities: readonly string[],
  options: OpenOptions,
): AsyncGenerator<Uint8Array> {
  const source = new ByteSource(body, options.signal);
  try {
    const header = await readHeader(source);
    const fileKey = await unwrapFileKey(header, identities);
    const nonce = await source.take(NONCE_BYTES);
    if (!nonce) throw new AppError('ARTIFACT_DAMAGED', { reason: 'the encrypted data ends in its header' });
    yield* openPayload(source.rest(), payloadKey(fileKey, nonce), options);
  } finally {
    await source.close();
  }
}

function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
}

/** The package encrypts nothing for us here: an extra recipient that adds no stanza overhears the file key. */
async function createHeader(recipients: readonly string[]): Promise<{ header: Uint8Array; fileKey: Uint8Array }> {
  if (recipients.length === 0) throw recipientError('No recipient was given.', undefined);
  let fileKey: Uint8Array | null = null;
  const { Encrypter } = await loadAge();
  const encrypter = new Encrypter();
  let emptyFile: Uint8Array;
  try {
    for (const recipient of recipients) encrypter.addRecipient(recipient);
    encrypter.addRecipient({
      wrapFileKey(key) {
        fileKey = Uint8Array.from(key);
        return [];
      },
    });
    emptyFile = await encrypter.encrypt(new Uint8Array(0));
  } catch (error) {
    throw recipientError('A recipient is not a valid age public key.', error);
  }
  if (!fileKey || (fileKey as Uint8Array).byteLength !== FILE_KEY_BYTES) {
    throw new AppError('INTERNAL', {}, { cause: new Error('the age package did not hand out its file key') });
  }
  // What follows the header is its nonce and the sealed empty piece (a tag alone); we draw a nonce of our own.
  return { header: emptyFile.subarray(0, emptyFile.byteLength - NONCE_BYTES - TAG_BYTES), fileKey };
}

function recipientError(message: string, cause: unknown): AppError {
  return new AppError(
    'INVALID_INPUT',
    {},
    { cause, fields: [{ path: 'encryption.recipients', code: 'invalid', message }] },
  );
}

/** Reads up to and including the MAC line. */
async function readHeader(source: ByteSource): Promise<Uint8Array> {
  let header = Buffer.alloc(0);
  for (;;) {
    const macLine = header.indexOf(MAC_LINE_START);
    const end = macLine < 0 ? -1 : header.indexOf('\n', macLine + 1);
    if (end >= 0) {
      source.unread(header.subarray(end + 1));
      return header.subarray(0, end + 1);
    }
    const known = Math.min(header.length, VERSION_LINE.length);
    if (header.toString('latin1', 0, known) !== VERSION_LINE.slice(0, known)) {
      throw new AppError('ARTIFACT_DAMAGED', { reason: 'it is not an age file' });
    }
    if (header.length > MAX_HEADER_BYTES) {
      throw new AppError('ARTIFACT_DAMAGED', { reason: 'the encryption header has no end' });
    }
    const chunk = await source.takeSome();
    if (!chunk) throw new AppError('ARTIFACT_DAMAGED', { reason: 'the encrypted data ends in its header' });
    header = Buffer.concat([header, chunk]);
  }
}

async function unwrapFileKey(header: Uint8Array, identities: readonly string[]): Promise<Uint8Array> {
  const { Decrypter } = await loadAge();
  const decrypter = new Decrypter();
  try {
    for (const identity of identities) decrypter.addIdentity(identity);
  } catch (error) {
    throw new AppError('ARTIFACT_KEY_WRONG', {}, { cause: error });
  }
  try {
    return await decrypter.decryptHeader(header);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('no identity matched')) {
      throw new AppError('ARTIFACT_KEY_WRONG', {}, { cause: error });
    }
    throw new AppError('ARTIFACT_DAMAGED', { reason: 'the encryption header is corrupt' }, { cause: error });
  }
}
