/** Verifies an archive: every byte is read, every entry goes through the source's own verifier or into the sample. */
import { createHash } from 'node:crypto';
import type { VerifyCheck } from '@backupx/contracts/jobs';
import { countAndHash } from '../archive/checksum.ts';
import type { RestoreEntry, RestoreSession } from '../ports/source.ts';
import type { Storage } from '../ports/storage.ts';
import { openArtifact } from './open-artifact.ts';
import { openTarget } from './open-target.ts';
import { ProgressMeter } from './progress-meter.ts';
import type { VerifyCounts, VerifyParts } from './verify-artifact.ts';
import { failedCheck, megabytes } from './verify-findings.ts';

interface Reading extends VerifyParts {
  readonly storage: Storage;
  readonly meter: ProgressMeter;
}

/** Adds what was found to the checks. Throws what cannot be told by reading. */
export async function verifyArchive(parts: VerifyParts): Promise<VerifyCounts> {
  const { job, context, checks } = parts;
  const meter = new ProgressMeter(context.reporter, { storedTotal: job.artifact.fileSize });
  const storage = openTarget(context, { target: job.artifact.target });
  const reading: Reading = { ...parts, storage, meter };
  try {
    meter.enter('running');
    if (await readAll(reading)) {
      meter.enter('finishing');
      checks.push(...((await parts.verifier?.finish()) ?? []));
      if (parts.sample) await parts.sample.restore(checks, (session) => writeAll(reading, session));
    }
    meter.enter('done');
    const { itemsDone, bytesDone, bytesStored } = meter.counters;
    return { itemCount: itemsDone, sourceBytes: bytesDone, storedBytes: bytesStored };
  } finally {
    meter.stop();
    await storage.close?.().catch(() => {});
  }
}

/** Answers whether everything could be read and is what was recorded. */
async function readAll(reading: Reading): Promise<boolean> {
  const { job, context, checks, storage, meter } = reading;
  const { counters } = meter;
  const subject = job.artifact.fileName;
  const { signal, openPieces } = context;
  const artifact = openArtifact(storage, job.artifact, { signal, openPieces, isUsedAtOnce: reading.verifier === null });
  try {
    for await (const entry of artifact.entries) {
      counters.currentItem = subject;
      await readEntry(reading, entry);
      counters.itemsDone += 1;
      counters.bytesStored = artifact.bytesRead;
    }
  } catch (error) {
    context.signal.throwIfAborted();
    checks.push(failedCheck(error, { subject, name: 'structure' }));
    checks.push(await checkStoredBytes(reading));
    return false;
  }
  counters.bytesStored = artifact.bytesRead;
  const detail = `${counters.itemsDone} item(s) with ${megabytes(counters.bytesDone)} can be read`;
  checks.push({ subject, name: 'structure', ok: true, detail });
  try {
    artifact.assertWhole();
  } catch (error) {
    checks.push(failedCheck(error, { subject, name: 'checksum' }));
    return false;
  }
  checks.push({ subject, name: 'checksum', ok: true, detail: wholeDetail(job.artifact.checksum, artifact.bytesRead) });
  return true;
}

function wholeDetail(checksum: string | null, bytes: number): string {
  const known = checksum ? 'their SHA-256 is the recorded one' : 'no checksum was recorded to compare with';
  return `${megabytes(bytes)} stored, ${known}`;
}

async function readEntry({ verifier, sample, meter }: Reading, entry: RestoreEntry): Promise<void> {
  const { counters } = meter;
  const hash = sample?.wants(entry) ? createHash('sha256') : null;
  async function* counted(content: AsyncIterable<Uint8Array>) {
    for await (const chunk of content) {
      counters.bytesDone += chunk.byteLength;
      hash?.update(chunk);
      yield chunk;
    }
  }
  const content = entry.content && counted(entry.content);
  if (verifier) await verifier.write({ ...entry, content });
  else for await (const _ of content ?? []);
  if (hash) sample?.offer(entry, [{ segments: entry.segments, sha256: hash.digest('hex') }]);
}

/** After damage inside: whether the stored bytes are still those that were written, which tells where it happened. */
async function checkStoredBytes({ job, storage, context }: Reading): Promise<VerifyCheck> {
  const { fileName: subject, storagePath, checksum, fileSize } = job.artifact;
  const about = { subject, name: 'checksum' } as const;
  const tap = countAndHash(storage.get(storagePath, { signal: context.signal }));
  try {
    for await (const _ of tap);
  } catch (error) {
    context.signal.throwIfAborted();
    return failedCheck(error, about);
  }
  const { sha256, sizeBytes } = tap.digest();
  if (fileSize !== null && fileSize > 0 && sizeBytes !== fileSize) {
    return { ...about, ok: false, detail: `it has ${sizeBytes} bytes, not ${fileSize}` };
  }
  const isSame = !checksum || checksum.toLowerCase() === sha256;
  const detail = isSame ? wholeDetail(checksum, sizeBytes) : 'its checksum is not the recorded one';
  return { ...about, ok: isSame, detail };
}

/** A second time through the archive, which is known to be whole by now. */
async function writeAll({ storage, job, context }: Reading, session: RestoreSession): Promise<void> {
  const { signal, openPieces } = context;
  const isUsedAtOnce = session.usesContentAtOnce === true;
  const artifact = openArtifact(storage, job.artifact, { signal, openPieces, isUsedAtOnce });
  for await (const entry of artifact.entries) await session.write(entry);
}
