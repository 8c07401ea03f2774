/** Sends the stored bytes of a record, as they are or decrypted on the way; a snapshot as one tar. */
import { Readable } from 'node:stream';
import type { StoredArtifact } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { FastifyReply } from 'fastify';
import { contentDisposition, sendDownload } from '../../http/send-download.ts';

export interface StreamArtifactDeps {
  readonly engine: Pick<Engine, 'openStorage' | 'decrypt' | 'openSnapshotStream'>;
  readonly clock: Clock;
}

/** Throws STORAGE_NOT_FOUND and the like before the first byte; later failures cut the connection. */
export async function streamArtifact(
  deps: StreamArtifactDeps,
  artifact: StoredArtifact,
  to: { reply: FastifyReply; signal: AbortSignal; decrypt: boolean },
): Promise<void> {
  if (artifact.snapshot) {
    const { repository, snapshotId } = artifact.snapshot;
    const stream = deps.engine.openSnapshotStream({ repository, snapshotId, path: null, format: 'tar' }, to.signal);
    const fileName = `snapshot-${snapshotId.slice(0, 8)}.tar`;
    await sendDownload(to.reply, stream, { fileName, contentType: 'application/x-tar' });
    return;
  }
  const storage = deps.engine.openStorage(artifact.target);
  try {
    const { sizeBytes } = await storage.stat(artifact.storagePath, to.signal);
    const stored = storage.get(artifact.storagePath, { signal: to.signal });
    const identities = to.decrypt ? artifact.encryption?.identities : undefined;
    const fileName = identities ? artifact.fileName.replace(/\.age$/, '') : artifact.fileName;
    to.reply.header('content-type', 'application/octet-stream');
    to.reply.header('content-disposition', contentDisposition(fileName));
    to.reply.header('cache-control', 'no-store');
    if (!identities) to.reply.header('content-length', String(sizeBytes));
    const body = Readable.from(identities ? deps.engine.decrypt(stored, identities) : stored, { objectMode: false });
    const done = new Promise<void>((resolve) => body.once('close', resolve));
    to.reply.send(body);
    await done;
  } finally {
    await storage.close?.();
  }
}
