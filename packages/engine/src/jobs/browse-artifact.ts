import { AppError } from '@backupx/contracts/errors';
import type { BrowseArtifactJob, BrowseArtifactResult, DriverSettings } from '@backupx/contracts/jobs';
import { browseContents } from '../archive/browse-contents.ts';
import { ContentsIndexWriter } from '../archive/contents-index.ts';
import type { Storage } from '../ports/storage.ts';
import type { JobContext } from './job-context.ts';
import { openArtifact, openStoredBytes } from './open-artifact.ts';
import { openTarget } from './open-target.ts';
import { serverOfArchive } from './saved-server.ts';

/** Lists a folder of an artifact or searches it: from its list of contents, or, without one, from the archive. */
export async function browseArtifact(job: BrowseArtifactJob, context: JobContext): Promise<BrowseArtifactResult> {
  const { snapshot } = job.artifact;
  if (snapshot) return (await import('./browse-snapshot.ts')).browseSnapshot(snapshot, job, context);
  const storage = openTarget(context, { target: job.artifact.target });
  try {
    const page = (await browseList(storage, job, context.signal)) ?? (await browseArchive(storage, job, context));
    return job.source ? { ...page, server: await askServer(storage, job, { source: job.source, context }) } : page;
  } finally {
    await storage.close?.().catch(() => {});
  }
}

async function askServer(
  storage: Storage,
  { artifact }: BrowseArtifactJob,
  { source, context }: { readonly source: DriverSettings; readonly context: JobContext },
): Promise<string | null> {
  const driver = context.drivers.sources.find(({ type }) => type === source.type);
  return driver ? await serverOfArchive(storage, artifact, { driver, signal: context.signal }) : null;
}

/** Null when there is no list. */
async function browseList(
  storage: Storage,
  job: BrowseArtifactJob,
  signal: AbortSignal,
): Promise<BrowseArtifactResult | null> {
  const { contentsPath } = job.artifact;
  if (contentsPath === null) return null;
  try {
    const stored = storage.get(contentsPath, { signal });
    const options = { signal, isUsedAtOnce: true, compression: 'zstd' as const };
    return await browseContents(openStoredBytes(stored, job.artifact, options), job);
  } catch (error) {
    if (error instanceof AppError && error.code === 'STORAGE_NOT_FOUND') return null;
    throw error;
  }
}

async function browseArchive(
  storage: Storage,
  job: BrowseArtifactJob,
  context: JobContext,
): Promise<BrowseArtifactResult> {
  const contents = new ContentsIndexWriter(context.tempDir);
  try {
    const { signal } = context;
    for await (const entry of openArtifact(storage, job.artifact, { signal, isUsedAtOnce: true }).entries) {
      const stream = entry.content;
      let sizeBytes = entry.sizeBytes;
      if (stream && entry.isStream) for await (const chunk of stream) sizeBytes += chunk.byteLength;
      const content = stream && { kind: 'stream' as const, sizeBytes, stream };
      contents.add({ ...entry, content }, sizeBytes);
    }
    return await browseContents(contents.openContents(), job);
  } finally {
    contents.close();
  }
}
