import type { VerifyArtifactJob, VerifyArtifactResult, VerifyCheck } from '@backupx/contracts/jobs';
import type { JobContext } from './job-context.ts';
import { openArtifact } from './open-artifact.ts';
import { openTarget } from './open-target.ts';
import { ProgressMeter } from './progress-meter.ts';

/** Reads an artifact to its last byte without writing anything. Throws what a restore would throw for it. */
export async function verifyArtifact(job: VerifyArtifactJob, context: JobContext): Promise<VerifyArtifactResult> {
  const meter = new ProgressMeter(context.reporter, { storedTotal: job.artifact.fileSize });
  const { counters } = meter;
  const storage = openTarget(context, { target: job.artifact.target });
  try {
    const artifact = openArtifact(storage, job.artifact, context.signal);
    meter.enter('running');
    for await (const entry of artifact.entries) {
      for await (const chunk of entry.content ?? []) counters.bytesDone += chunk.byteLength;
      counters.itemsDone += 1;
      counters.bytesStored = artifact.bytesRead;
    }
    artifact.assertWhole();
    counters.bytesStored = artifact.bytesRead;
    meter.enter('done');
    const checks: VerifyCheck[] = [{ subject: job.artifact.fileName, name: 'checksum', ok: true, detail: '' }];
    return {
      status: 'success',
      checks,
      itemCount: counters.itemsDone,
      sourceBytes: counters.bytesDone,
      storedBytes: counters.bytesStored,
    };
  } finally {
    meter.stop();
    await storage.close?.().catch(() => {});
  }
}
