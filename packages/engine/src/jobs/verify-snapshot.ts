/**
 * Verifies one snapshot of a repository. Quick: every folder can be read, every blob is in the index, every pack it
 * lies in is there with its size. Deep: those packs are read and each blob verified. Then what the source's own
 * verifier or a sample of restored files says.
 */
import { AppError } from '@backupx/contracts/errors';
import type { StoredArtifact } from '@backupx/contracts/jobs';
import { parseDisplayPath } from '../ports/display-path.ts';
import { BitSet } from '../repository/bit-set.ts';
import { createBlobReader } from '../repository/blob-reader.ts';
import { itemsBelow } from '../repository/browse/snapshot-items.ts';
import { TreeLoader } from '../repository/browse/tree-loader.ts';
import { fromHex, toHex } from '../repository/format/blob-id.ts';
import type { Snapshot } from '../repository/format/snapshot-file.ts';
import type { TreeNode } from '../repository/format/tree-node.ts';
import { checkPackSizes } from '../repository/maintenance/check-packs.ts';
import { type CheckTreesOptions, checkTrees } from '../repository/maintenance/check-trees.ts';
import { loadIndexFiles } from '../repository/maintenance/index-files.ts';
import type { MaintenanceWork } from '../repository/maintenance/maintenance-work.ts';
import { PackHealth } from '../repository/maintenance/pack-health.ts';
import { PackTable } from '../repository/maintenance/pack-table.ts';
import { ProblemLog } from '../repository/maintenance/problem-log.ts';
import { verifyPacks } from '../repository/maintenance/read-packs.ts';
import { listStoredPacks } from '../repository/maintenance/stored-packs.ts';
import type { PieceSession } from '../repository/restore/restore-files.ts';
import { restoreSnapshot } from '../repository/restore/restore-snapshot.ts';
import { restoreStreams } from '../repository/restore/restore-streams.ts';
import { findSnapshot } from '../repository/snapshots.ts';
import type { VerifyCounts, VerifyParts } from './verify-artifact.ts';
import { failedCheck, megabytes } from './verify-findings.ts';
import type { ExpectedContent, SampleChooser } from './verify-sample.ts';
import { withMaintenance } from './with-maintenance.ts';

type SnapshotArtifact = NonNullable<StoredArtifact['snapshot']>;

/** Adds what was found to the checks. Throws what cannot be told by reading. */
export async function verifySnapshot(parts: VerifyParts, artifact: SnapshotArtifact): Promise<VerifyCounts> {
  const { context, checks } = parts;
  const { repository: access, snapshotId } = artifact;
  const subject = `snapshot ${snapshotId.slice(0, 8)}`;
  let storedBytes = 0;
  try {
    return await withMaintenance(context, { access, lock: 'shared' }, async (outer) => {
      const work: MaintenanceWork = {
        ...outer,
        onRead(bytes) {
          storedBytes += bytes;
          outer.onRead?.(bytes);
        },
      };
      const snapshot = await findSnapshot(work.repository, snapshotId, work.signal);
      const looking: Looking = { ...parts, subject, work, snapshot, health: await lookAtPacks(work) };
      if (await checkBlobs(looking)) await proveContent(looking, access.condemnedPacks);
      // After a sleep of the machine others may have removed what is missing.
      if (checks.some(({ ok }) => !ok)) await work.repository.assertLocked?.(work.signal);
      return { ...countsOf(snapshot), storedBytes };
    });
  } catch (error) {
    context.signal.throwIfAborted();
    checks.push(failedCheck(error, { subject, name: 'structure' }));
    return { itemCount: 0, sourceBytes: 0, storedBytes };
  }
}

interface Looking extends VerifyParts {
  readonly subject: string;
  readonly work: MaintenanceWork;
  readonly snapshot: Snapshot;
  readonly health: PackHealth;
}

/** Known for snapshots of programs that wrote a summary. */
function countsOf({ summary }: Snapshot) {
  if (summary === null) return { itemCount: 0, sourceBytes: 0 };
  const { totalFilesProcessed, totalBytesProcessed, dirsNew, dirsChanged, dirsUnmodified } = summary;
  return {
    itemCount: totalFilesProcessed + dirsNew + dirsChanged + dirsUnmodified,
    sourceBytes: totalBytesProcessed,
  };
}

async function lookAtPacks(work: MaintenanceWork): Promise<PackHealth> {
  const { index, damaged } = await loadIndexFiles(work, { tolerateDamage: true });
  for (const { name, reason } of damaged) work.log?.('warn', `The index file ${name} cannot be read: ${reason}.`);
  const table = new PackTable(index);
  const stored = await listStoredPacks(work, table);
  return new PackHealth({ table, stored, log: new ProblemLog() });
}

/** Answers whether every blob of the snapshot is there, and in `deep` whole. */
async function checkBlobs(looking: Looking): Promise<boolean> {
  const { job, health, work, checks, subject } = looking;
  const { table, stored } = health;
  const suspects = new Set(checkPackSizes(health));
  const { isIntact, blobCount, packs } = await usedPacks(looking);
  const toRead = job.mode === 'deep' ? packs : packs.filter((pack) => suspects.has(pack));
  await verifyPacks(work, health, toRead);
  const blamed = packs.filter((pack) => health.isBlamed(pack));
  if (!isIntact || blamed.length > 0) {
    const failed = await explainDamage(looking);
    if (failed) return false;
    // The packs are not as they should be, and yet all that this snapshot needs of them is.
    for (const pack of blamed) work.log?.('warn', `${health.pathOf(pack)} is damaged beside what this snapshot needs.`);
  }
  const there = `${blobCount} blob(s) are in the index, and their ${packs.length} pack(s) in the storage`;
  checks.push({ subject, name: 'structure', ok: true, detail: `every folder can be read; ${there}` });
  if (job.mode === 'deep') {
    const bytes = packs.reduce((sum, pack) => sum + Math.max(0, stored.sizes[pack] ?? 0), 0);
    const detail = `${megabytes(bytes)} in ${packs.length} pack(s) of ${table.count} read, every blob is what its name says`;
    checks.push({ subject, name: 'content', ok: true, detail });
  }
  return true;
}

/** A walk that only notes where the blobs lie. */
async function usedPacks(looking: Looking) {
  const { table, index } = looking.health;
  const used = new BitSet(table.count);
  const blobs = new BitSet(index.count);
  const log = new ProblemLog();
  const intact = await walk(looking, {
    log,
    problemsOf(first) {
      blobs.add(first);
      for (let entry = first; entry >= 0; entry = index.nextSame(entry)) used.add(table.packOf(entry));
      return null;
    },
    onUnreadable: () => -1,
  });
  return { isIntact: intact, blobCount: blobs.size, packs: [...used] };
}

/** The walk again, with all that is known now: names what is lost. Answers whether anything is. */
async function explainDamage(looking: Looking): Promise<boolean> {
  const { health, snapshot, checks, subject, job } = looking;
  const intact = await walk(looking, {
    log: health.log,
    problemsOf: (entry) => health.problemsOf(entry),
    onUnreadable: (entry, reason) =>
      health.blame(health.table.packOf(entry), 'pack_damaged', `A folder in it cannot be read: ${reason}.`),
  });
  if (intact) return false;
  const name = job.mode === 'deep' ? 'content' : 'structure';
  const problems = health.log.problems.filter((problem) => problem.snapshotIds.includes(snapshot.id));
  for (const { object, message, paths } of problems) {
    const lost = paths.length > 0 ? ` Lost because of it: ${paths.join(', ')}.` : '';
    checks.push({ subject: object, name, ok: false, detail: `${message}${lost}` });
  }
  if (problems.length === 0) checks.push({ subject, name, ok: false, detail: 'the snapshot is not whole' });
  return true;
}

async function walk(
  { work, snapshot, health }: Looking,
  how: Pick<CheckTreesOptions, 'log' | 'problemsOf' | 'onUnreadable'>,
): Promise<boolean> {
  const { index } = health;
  const { repository, signal } = work;
  const reader = createBlobReader({ repository, index, signal });
  const intact = await checkTrees([snapshot], { index, reader, signal, ...how });
  return intact.length > 0;
}

/** What the source's own verifier says, or a sample of restored files. */
async function proveContent(looking: Looking, condemnedPacks: readonly string[]): Promise<void> {
  const { verifier, sample, work, snapshot, health, checks } = looking;
  const { index } = health;
  const { repository, signal } = work;
  const onRead = (bytes: number) => work.onRead?.(bytes);
  if (verifier) {
    await restoreStreams({ repository, index, snapshot, session: verifier, paths: null, signal, onRead });
    checks.push(...(await verifier.finish()));
  }
  if (!sample) return;
  await offerFiles(looking, sample);
  await sample.restore(
    checks,
    (session, { paths, problem }) =>
      restoreSnapshot({
        ...{ repository, index, snapshot, signal, paths },
        session: session as PieceSession,
        avoidedPacks: new Set(condemnedPacks),
        isDryRun: false,
        threads: work.threads ?? 1,
        events: { problem, log: (level, message) => work.log?.(level, message), onKept: () => {}, onFetched: onRead },
      }),
    { isVerified: true },
  );
}

async function offerFiles({ work, health, snapshot }: Looking, sample: SampleChooser): Promise<void> {
  const { repository, signal } = work;
  const reader = createBlobReader({ repository, index: health.index, signal });
  const loader = new TreeLoader(reader);
  const top = { path: '', node: null, treeId: fromHex(snapshot.tree) };
  for await (const { path, node } of itemsBelow(loader, top)) {
    signal.throwIfAborted();
    if (node.type !== 'file') continue;
    const item = {
      path: parseDisplayPath(path),
      type: 'file',
      mode: node.mode,
      modifiedAtNs: node.mtimeNs,
      sizeBytes: Number(node.size),
    } as const;
    if (sample.wants(item)) sample.offer(item, piecesOf(node, health));
  }
}

/** A blob is named for the hash of its content, so the pieces of a file are known without reading them. */
function piecesOf(node: TreeNode, { index }: PackHealth): ExpectedContent[] {
  let offset = 0;
  return (node.content ?? []).map((id) => {
    const entry = index.find(id, 'data');
    if (entry < 0) throw new AppError('REPOSITORY_DAMAGED', { reason: `data blob ${toHex(id)} is in no index` });
    const length = index.plainSizeOf(entry);
    const piece = { segments: [{ offset, length }], sha256: toHex(id) };
    offset += length;
    return piece;
  });
}
