import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '@backupx/contracts/errors';
import type { Engine } from '@backupx/engine/ports/engine';
import type { FastifyReply } from 'fastify';
import type { JobBuilder } from '../../dispatch/ports.ts';
import type { AgentRuns } from './agent-runs.ts';
import type { AgentCaller } from './update-record.ts';

export interface StreamArtifactDeps {
  readonly runs: AgentRuns;
  readonly jobs: JobBuilder;
  readonly engine: Pick<Engine, 'openStorage'>;
  readonly nowMs: () => number;
}

/**
 * Streams the artifact of a restore to the node that runs it, for places only the master can reach. The first bytes
 * are asked for before the headers go out, so a missing object is still an error answer and not a cut connection.
 */
export async function streamArtifact(
  deps: StreamArtifactDeps,
  caller: AgentCaller,
  request: { restoreId: number; reply: FastifyReply; signal: AbortSignal },
): Promise<void> {
  const { restoreId, reply, signal } = request;
  const restore = await deps.runs.restore(caller.nodeId, restoreId);
  if (restore.status !== 'running' || !deps.runs.live(caller.nodeId, 'restore', restoreId)) {
    throw new AppError('RESTORE_RECORD_FORBIDDEN');
  }
  const { artifact } = await deps.jobs.restoreJob(restoreId);
  if (!artifact.target.viaMaster) throw new AppError('RESTORE_RECORD_FORBIDDEN');
  const storage = deps.engine.openStorage(artifact.target);
  try {
    const { sizeBytes } = await storage.stat(artifact.storagePath, signal);
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': sizeBytes });
    const renewing = setInterval(() => deps.runs.renew(caller.nodeId, 'restore', restoreId, deps.nowMs()), 5_000);
    try {
      await pipeline(Readable.from(storage.get(artifact.storagePath, { signal })), reply.raw);
    } finally {
      clearInterval(renewing);
    }
  } catch (error) {
    // After the headers the only honest sign of failure is a cut connection: the length then does not match.
    if (!reply.raw.headersSent) throw error;
    reply.raw.destroy();
  } finally {
    await storage.close?.();
  }
}
