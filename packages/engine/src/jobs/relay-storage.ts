/**
 * A storage target of the master, reached through it: an agent uploads its artifact and fetches what it restores, and
 * can do nothing else there. The master answers with the checksum of what it stored; it must be ours.
 */

import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type http from 'node:http';
import path from 'node:path';
import { relayHeaders, relayUploadOutputSchema } from '@backupx/contracts/agent-protocol';
import { AppError, isErrorCode } from '@backupx/contracts/errors';
import { type ChecksumTap, countAndHash, type StreamDigest } from '../archive/checksum.ts';
import type { RelaySettings } from '../ports/engine.ts';
import { cancelledError } from '../ports/pull-body.ts';
import type { Storage } from '../ports/storage.ts';
import type { RelayPurpose } from './job-context.ts';
import { type OpenRequest, openRelayRequest, unreachable } from './relay-http.ts';

const MAX_ANSWER_BYTES = 1024 * 1024;

export interface RelayStorageOptions {
  readonly relay: RelaySettings;
  readonly purpose: RelayPurpose;
  readonly tempDir: string;
}

/** Opens the relay for one record (`put`) or one restore (`get`). Everything else throws NOT_SUPPORTED. */
export function createRelayStorage(options: RelayStorageOptions): Storage {
  return {
    put: (key, body, { signal }) =>
      options.relay.needsKnownSize
        ? uploadSpooled({ options, key, signal }, body)
        : upload({ options, key, signal }, body, null),
    get: (_key, { signal, range }) => {
      if (range) throw notSupported('Reading a part of an object through the master');
      return download(options, signal);
    },
    stat: () => Promise.reject(notSupported('Looking up an object through the master')),
    list: () => {
      throw notSupported('Listing objects through the master');
    },
    delete: () => Promise.reject(notSupported('Deleting an object through the master')),
  };
}

function notSupported(what: string): AppError {
  return new AppError('NOT_SUPPORTED', { what, hint: 'The master does this itself.' });
}

interface Upload {
  readonly options: RelayStorageOptions;
  readonly key: string;
  readonly signal: AbortSignal;
}

/** For masters that want size and checksum first: the artifact waits in a file until both are known. */
async function uploadSpooled(request: Upload, body: AsyncIterable<Uint8Array>): Promise<void> {
  const file = path.join(request.options.tempDir, `relay-${randomUUID()}.spool`);
  try {
    const tap = countAndHash(body);
    const handle = await open(file, 'wx', 0o600);
    try {
      for await (const chunk of tap) {
        if (request.signal.aborted) throw cancelledError(request.signal);
        await handle.writeFile(chunk);
      }
    } finally {
      await handle.close();
    }
    await upload(request, createReadStream(file), tap.digest());
  } finally {
    await rm(file, { force: true });
  }
}

async function upload(
  { options, key, signal }: Upload,
  body: AsyncIterable<Uint8Array>,
  known: StreamDigest | null,
): Promise<void> {
  const { relay, purpose } = options;
  const opened = await openRelayRequest(relay, {
    method: 'PUT',
    path: `/api/agent/records/${purpose.recordId}/artifacts/${purpose.target.id}`,
    headers: {
      'content-type': 'application/octet-stream',
      [relayHeaders.objectKey]: key,
      ...(known ? { 'content-length': String(known.sizeBytes), [relayHeaders.sha256]: known.sha256 } : {}),
    },
    signal,
  });
  const tap = countAndHash(body);
  const { request, response } = opened;
  const sent = sendBody(tap, opened);
  sent.catch(() => {});
  try {
    // The master may refuse before it has read everything; then its answer says more than the broken pipe.
    const answer = await Promise.race([response, sent.then(() => response)]);
    const data = relayUploadOutputSchema.safeParse(await readAnswer(relay, answer, signal));
    if (!data.success) throw wrongContent(relay);
    await sent;
    const { sha256, sizeBytes } = tap.digest();
    if (data.data.checksum.toLowerCase() !== sha256 || data.data.fileSize !== sizeBytes) {
      throw new AppError('STORAGE_FAILED', { reason: 'the master stored other bytes than were sent' });
    }
  } finally {
    request.destroy();
  }
}

/**
 * Writes the body as fast as the connection takes it. Throws only what the body throws: a broken connection shows as
 * the missing answer. Stops when the connection is gone or the master has refused already.
 */
async function sendBody(tap: ChecksumTap, { request, response }: OpenRequest): Promise<void> {
  let isRefused = false;
  response.then(
    ({ statusCode = 0 }) => {
      isRefused = statusCode >= 300;
      if (isRefused) request.emit('drain');
    },
    () => {},
  );
  for await (const chunk of tap) {
    if (isRefused || request.destroyed) return;
    // Chunks are copied: the connection may keep them longer than their memory is ours.
    if (!request.write(Buffer.from(chunk))) await writable(request);
  }
  request.end();
}

function writable(request: http.ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    if (request.destroyed) resolve();
    const go = () => {
      request.off('drain', go);
      request.off('close', go);
      resolve();
    };
    request.on('drain', go);
    request.on('close', go);
  });
}

async function* download({ relay, purpose }: RelayStorageOptions, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { request, response } = await openRelayRequest(relay, {
    method: 'GET',
    path: `/api/agent/restores/${purpose.restoreRecordId}/artifact`,
    signal,
  });
  request.end();
  try {
    const answer = await response;
    if (answer.statusCode !== 200) {
      await readAnswer(relay, answer, signal);
      throw wrongContent(relay);
    }
    try {
      for await (const chunk of answer) yield chunk as Uint8Array;
    } catch (error) {
      throw unreachable(relay, error, signal);
    }
  } finally {
    request.destroy();
  }
}

function wrongContent(relay: RelaySettings): AppError {
  return new AppError('MASTER_WRONG_CONTENT', { url: relay.masterUrl });
}

/** Opens the envelope `{code, message, data}`; throws the master's error when it is one. */
async function readAnswer(relay: RelaySettings, answer: http.IncomingMessage, signal: AbortSignal): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of answer) {
      size += (chunk as Uint8Array).byteLength;
      if (size > MAX_ANSWER_BYTES) throw wrongContent(relay);
      chunks.push(chunk as Uint8Array);
    }
  } catch (error) {
    throw error instanceof AppError ? error : unreachable(relay, error, signal);
  }
  const envelope = parseEnvelope(Buffer.concat(chunks).toString('utf8'));
  if (!envelope) throw wrongContent(relay);
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300 && envelope.code === 'OK') return envelope.data;
  const reason = envelope.message ?? `status ${status}`;
  if (isErrorCode(envelope.code)) throw new AppError(envelope.code, { reason, key: reason });
  throw new AppError('STORAGE_FAILED', { reason: `the master refused: ${reason}` });
}

function parseEnvelope(text: string): { code: string; message?: string; data?: unknown } | null {
  try {
    const value = JSON.parse(text) as { code?: unknown; message?: string; data?: unknown } | null;
    return typeof value?.code === 'string' ? { ...value, code: value.code } : null;
  } catch {
    return null;
  }
}
