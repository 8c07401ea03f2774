/**
 * Artifacts through the master, for targets that only it can reach. The stream passes in constant memory; size and
 * SHA-256 are counted on the way, and when they differ from what was announced the body fails, so the storage's atomic
 * `put` leaves nothing behind and whatever lay under the key stays.
 */
import { createHash } from 'node:crypto';
import { relayHeaders } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { JobTarget } from '@backupx/contracts/jobs';
import type { Engine } from '@backupx/engine/ports/engine';
import type { FastifyRequest } from 'fastify';
import type { JobBuilder } from '../../dispatch/ports.ts';
import type { AgentRuns } from './agent-runs.ts';
import { checkArtifactKey } from './check-artifact-key.ts';
import type { AgentCaller } from './update-record.ts';

/** A sender that sends nothing and does not hang up either. Long, because a slow storage holds it back, too. */
const SILENCE_MS = 10 * 60_000;
/** Between two renewals of the run's lease while bytes arrive. */
const RENEW_MS = 5_000;

export interface RelayDeps {
  readonly runs: AgentRuns;
  readonly jobs: JobBuilder;
  readonly engine: Pick<Engine, 'openStorage'>;
  readonly nowMs: () => number;
}

interface Announced {
  readonly key: string;
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
}

export async function relayUpload(
  deps: RelayDeps,
  caller: AgentCaller,
  upload: { recordId: number; targetId: number; request: FastifyRequest; signal: AbortSignal },
): Promise<{ storagePath: string; fileSize: number; checksum: string }> {
  const { recordId, request } = upload;
  const announced = readHeaders(request);
  const record = await deps.runs.record(caller.nodeId, recordId);
  if (record.status !== 'running' || !deps.runs.live(caller.nodeId, 'record', recordId)) {
    throw new AppError('BACKUP_RECORD_FORBIDDEN');
  }
  checkArtifactKey(record, announced.key, caller.protocol);
  const target = await relayedTarget(deps.jobs, recordId, upload.targetId);
  const renew = () => deps.runs.renew(caller.nodeId, 'record', recordId, deps.nowMs());
  const storage = deps.engine.openStorage(target);
  try {
    const meter = { sizeBytes: 0, checksum: '' };
    request.raw.setTimeout(SILENCE_MS, () => request.raw.destroy(new Error('the sender fell silent')));
    await storage.put(announced.key, measured(request.raw, { announced, meter, renew, nowMs: deps.nowMs }), {
      signal: upload.signal,
      ...(announced.sizeBytes === null ? {} : { sizeBytes: announced.sizeBytes }),
    });
    return { storagePath: announced.key, fileSize: meter.sizeBytes, checksum: meter.checksum };
  } finally {
    await storage.close?.();
  }
}

/** The target with its settings, if it belongs to the task and is reached through the master. */
async function relayedTarget(jobs: JobBuilder, recordId: number, targetId: number): Promise<JobTarget> {
  const job = await jobs.backupJob(recordId);
  // Repositories go through the gateway, which knows what may be written there.
  const target = job.repositories ? undefined : job.targets.find((one) => one.id === targetId);
  if (!target?.viaMaster) throw new AppError('BACKUP_RECORD_FORBIDDEN');
  return target;
}

function readHeaders(request: FastifyRequest): Announced {
  const headerOf = (name: string) => {
    const value = request.headers[name];
    return typeof value === 'string' ? value.trim() : '';
  };
  const key = headerOf(relayHeaders.objectKey);
  const sha256 = headerOf(relayHeaders.sha256).toLowerCase();
  const size = headerOf('content-length');
  if (sha256 !== '' && !/^[0-9a-f]{64}$/.test(sha256)) {
    const problem = { path: relayHeaders.sha256, code: 'invalid', message: 'not a SHA-256 in hex' };
    throw new AppError('INVALID_INPUT', {}, { fields: [problem] });
  }
  return { key, sha256: sha256 || null, sizeBytes: /^\d+$/.test(size) ? Number(size) : null };
}

interface Measuring {
  readonly announced: Announced;
  readonly meter: { sizeBytes: number; checksum: string };
  readonly renew: () => void;
  readonly nowMs: () => number;
}

async function* measured(
  body: AsyncIterable<Uint8Array>,
  { announced, meter, renew, nowMs }: Measuring,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let renewedMs = nowMs();
  for await (const chunk of body) {
    hash.update(chunk);
    meter.sizeBytes += chunk.length;
    if (nowMs() - renewedMs >= RENEW_MS) {
      renewedMs = nowMs();
      renew();
    }
    yield chunk;
  }
  meter.checksum = hash.digest('hex');
  if (announced.sizeBytes !== null && meter.sizeBytes !== announced.sizeBytes) {
    throw new AppError('ARTIFACT_DAMAGED', {
      reason: `${meter.sizeBytes} of ${announced.sizeBytes} bytes arrived`,
    });
  }
  if (announced.sha256 !== null && meter.checksum !== announced.sha256) {
    throw new AppError('ARTIFACT_DAMAGED', { reason: 'the checksum of what arrived is not the announced one' });
  }
}
