/**
 * The master as a restic REST server: `/r/<repository>/…` in front of any storage target. No contract and no envelope,
 * because the protocol is not ours (restic's doc/REST_backend.rst, versions 1 and 2); so it has a scope of its own.
 *
 * Storage credentials never leave the master. A client may add files whose name is the SHA-256 of their content, never
 * replace one, and delete nothing but locks unless its repository allows more.
 */
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { Storage, StoredObject } from '@backupx/engine/ports/storage';
import type {} from '@fastify/compress';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RecordAudit } from '../../http/audit-trail.ts';
import { type Admission, createAdmission, type Visitor } from './admit-client.ts';
import { answerError } from './answer-error.ts';
import { type GatewayAddress, parseGatewayAddress, storageKeyOf } from './gateway-address.ts';
import { listFiles } from './list-files.ts';
import { createLockOwners, type LockOwners } from './lock-owners.ts';
import { createQuotaLedger, type QuotaLedger } from './quota-ledger.ts';
import { readCredentials } from './read-credentials.ts';
import { refuse } from './refusal.ts';
import type { GatewayRepository, RepositoryDirectory, StoredFile } from './repository-directory.ts';
import { describeFile, sendFile } from './send-file.ts';
import { createStoragePool, type HeldStorage, type StoragePool } from './storage-pool.ts';
import { announcedSize, type FileAddress, storeFile, typeOf } from './store-file.ts';

export interface GatewayDeps {
  readonly directory: RepositoryDirectory;
  readonly engine: Pick<Engine, 'openStorage'>;
  readonly recordAudit: RecordAudit;
  /** Called once a file is durable and before the client hears of it; a failure is logged and changes nothing for the client. */
  readonly onStored?: (file: StoredFile) => Promise<void> | void;
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>;
}

/** A client that neither sends nor reads and does not hang up. Long, because a slow storage holds it back, too. */
const SILENCE_MS = 10 * 60_000;

interface Gateway extends GatewayDeps {
  readonly admission: Admission;
  readonly pool: StoragePool;
  readonly ledger: QuotaLedger;
  readonly locks: LockOwners;
}

interface Call {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly visitor: Visitor;
  readonly caller: string;
  readonly repository: GatewayRepository;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

/** Adds the routes. */
export function serveGateway(fastify: FastifyInstance, deps: GatewayDeps): void {
  fastify.register(async (scope) => {
    const onAuditFailure = (err: unknown) => scope.log.error({ err }, 'the audit entry could not be written');
    const gateway: Gateway = {
      ...deps,
      admission: createAdmission({ ...deps, monotonicMs: () => deps.clock.monotonicMs(), onAuditFailure }),
      pool: createStoragePool(deps.engine),
      ledger: createQuotaLedger(),
      locks: createLockOwners(deps.clock),
    };
    scope.addHook('onClose', () => gateway.pool.close());
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.setErrorHandler((error, request, reply) => answerError(error, request, reply));
    scope.addHook('onRequest', async (_request, reply) => {
      // Answers depend on a header that caches do not know.
      reply.header('cache-control', 'no-store');
    });
    scope.route({
      method: ['GET', 'HEAD', 'POST', 'DELETE'],
      url: '/r/*',
      // Everything is encrypted, and lengths and ranges are those of the bytes as they lie there.
      compress: false,
      decompress: false,
      handler: (request, reply) => handle(gateway, request, reply),
    });
  });
}

async function handle(gateway: Gateway, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const address = parseGatewayAddress(request.raw.url ?? '');
  if (!address) throw new AppError('ROUTE_NOT_FOUND');
  const credentials = readCredentials(request.headers);
  const visitor: Visitor = { ipAddress: request.ip, repository: address.repository, credentials };
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new AppError('CANCELLED'));
  });
  const admitted = await gateway.admission.admit(visitor);
  return dispatch(gateway, address, { ...admitted, request, reply, visitor, signal: gone.signal });
}

function dispatch(gateway: Gateway, address: GatewayAddress, call: Call): Promise<FastifyReply> {
  const route = `${call.request.method} ${address.kind}`;
  if (address.kind === 'repository') return answerRepository(gateway, call);
  if (address.kind === 'list') {
    if (route !== 'GET list') throw new AppError('ROUTE_NOT_FOUND');
    return withStorage(gateway, call, ({ storage }) => {
      const { repository, signal, request } = call;
      return listFiles({ repository, storage, type: address.type, accept: request.headers.accept, signal }, call.reply);
    });
  }
  switch (call.request.method) {
    case 'GET':
    case 'HEAD':
      return read(gateway, address, call);
    case 'POST':
      return store(gateway, address, call);
    default:
      return remove(gateway, address, call);
  }
}

/** `POST ?create=true` makes nothing, since folders come with their first file; a whole repository is never deleted here. */
async function answerRepository(gateway: Gateway, call: Call): Promise<FastifyReply> {
  const { request, reply } = call;
  if (request.method === 'DELETE') throw await refuseDeletion(gateway, call);
  if (request.method !== 'POST') throw new AppError('ROUTE_NOT_FOUND');
  if ((request.query as { create?: unknown }).create !== 'true') {
    throw refuse(400, { path: 'create', code: 'missing', message: 'must be "true"' });
  }
  return reply.code(200).send();
}

async function refuseDeletion(gateway: Gateway, { visitor, caller }: Call): Promise<AppError> {
  await gateway.admission.noteRefusal(visitor, caller, 'REPOSITORY_APPEND_ONLY');
  return new AppError('REPOSITORY_APPEND_ONLY');
}

/** Holds the storage until the answer is out or the client is gone. */
async function withStorage(
  gateway: Gateway,
  { repository, reply }: Call,
  use: (held: HeldStorage) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const held = gateway.pool.hold(repository);
  if (reply.raw.destroyed) held.release();
  else reply.raw.once('close', held.release);
  reply.raw.setTimeout(SILENCE_MS, () => reply.raw.destroy());
  return use(held);
}

function read(gateway: Gateway, address: FileAddress, call: Call): Promise<FastifyReply> {
  const { request, reply, signal } = call;
  return withStorage(gateway, call, async (held) => {
    const { storage } = held;
    const key = storageKeyOf(call.repository.prefix, address);
    const asked = { storage, key, range: request.headers.range, signal };
    if (request.method === 'HEAD') return describeFile(asked, reply);
    await held.takeTurn(signal);
    return sendFile(asked, reply);
  });
}

function store(gateway: Gateway, address: FileAddress, call: Call): Promise<FastifyReply> {
  const { repository, request, reply, signal, caller } = call;
  announcedSize(address, request.raw);
  return withStorage(gateway, call, async (held) => {
    const sizeBytes = await storeFile({ repository, address, request: request.raw, signal }, held, gateway.ledger);
    const name = address.kind === 'config' ? 'config' : address.name;
    if (typeOf(address) === 'locks') gateway.locks.stored({ repositoryId: repository.id, name, caller });
    const file = { repositoryId: repository.id, type: typeOf(address), name, sizeBytes, caller };
    try {
      await gateway.onStored?.(file);
    } catch (err) {
      request.log.error({ err, repositoryId: file.repositoryId, type: file.type, name }, 'an arrival was not noted');
    }
    return reply.code(200).send();
  });
}

async function remove(gateway: Gateway, address: FileAddress, call: Call): Promise<FastifyReply> {
  const { repository, reply, signal } = call;
  const isLock = typeOf(address) === 'locks';
  // Without its config a repository could be replaced by another one; so that is never deleted.
  if (!isLock && (repository.isAppendOnly || address.kind === 'config')) throw await refuseDeletion(gateway, call);
  return withStorage(gateway, call, async ({ storage }) => {
    const key = storageKeyOf(repository.prefix, address);
    const known = await findFile(storage, key, signal);
    if (isLock && known && !mayUnlock(gateway, address, { call, known })) throw await refuseDeletion(gateway, call);
    await storage.delete(key, signal);
    if (known && !isLock) gateway.ledger.removed(repository.id, known.sizeBytes);
    return reply.code(200).send();
  });
}

async function findFile(storage: Storage, key: string, signal: AbortSignal): Promise<StoredObject | null> {
  try {
    return await storage.stat(key, signal);
  } catch (error) {
    if (error instanceof AppError && error.code === 'STORAGE_NOT_FOUND') return null;
    throw error;
  }
}

function mayUnlock(
  { locks }: Gateway,
  address: FileAddress,
  { call, known }: { call: Call; known: StoredObject },
): boolean {
  const name = address.kind === 'file' ? address.name : '';
  const lock = { repositoryId: call.repository.id, name, caller: call.caller };
  return locks.isOwn(lock) || locks.isAbandoned(lock, known.modifiedAt);
}
