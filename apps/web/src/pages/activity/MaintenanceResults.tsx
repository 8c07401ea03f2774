import { Link } from '@tanstack/react-router';
import type { MaintenanceRecord, RepositoryProblem } from '../../api/types.ts';
import { paths } from '../../components/paths.ts';
import { formatBytes, formatDateTime, formatNumber } from '../../i18n/format.ts';
import { hasMessage, t } from '../../i18n/i18n.ts';
import { Card, Facts } from '../../ui/Card.tsx';
import { Icon } from '../../ui/Icon.tsx';

function SnapshotLinks({ repositoryId, ids }: { repositoryId: number; ids: readonly string[] }) {
  return (
    <span className="flex flex-wrap gap-x-3 font-mono text-xs">
      {ids.map((id) => (
        <Link key={id} to={paths.snapshot(repositoryId, id)} className="text-accent-ink hover:underline">
          {id.slice(0, 8)}
        </Link>
      ))}
    </span>
  );
}

function problemWord(code: string): string {
  const key = `repositoryProblem.${code}`;
  return hasMessage(key) ? t(key as 'repositoryProblem.pack_missing') : code;
}

function Problem({ problem, repositoryId }: { problem: RepositoryProblem; repositoryId: number }) {
  const isError = problem.level === 'error';
  return (
    <li className="flex gap-2.5 px-4 py-3">
      <Icon name={isError ? 'x-circle' : 'info'} className={`mt-0.5 ${isError ? 'text-bad' : 'text-ink-3'}`} />
      <div className="min-w-0 flex-1 space-y-1">
        <p className="font-medium">{problemWord(problem.code)}</p>
        <p className="font-mono text-xs [overflow-wrap:anywhere] text-ink-3">{problem.object}</p>
        {problem.message && (
          <p className="text-[13px] [overflow-wrap:anywhere] text-ink-2" lang="en">
            {problem.message}
          </p>
        )}
        {problem.paths.length > 0 && (
          <details>
            <summary className="text-[13px] text-ink-2">
              {t('check.affectedFiles', { count: problem.paths.length })}
            </summary>
            <ul className="mt-1 font-mono text-xs">
              {problem.paths.map((path) => (
                <li key={path} className="[overflow-wrap:anywhere]">
                  {path}
                </li>
              ))}
            </ul>
          </details>
        )}
        {problem.snapshotIds.length > 0 && (
          <div className="flex flex-wrap items-baseline gap-x-2 text-[13px] text-ink-2">
            {t('check.affectedSnapshots')}
            <SnapshotLinks repositoryId={repositoryId} ids={problem.snapshotIds} />
          </div>
        )}
      </div>
    </li>
  );
}

function Problems({ record, problems }: { record: MaintenanceRecord; problems: readonly RepositoryProblem[] }) {
  if (problems.length === 0) return null;
  return (
    <Card title={t('check.found')} note={t('problems.count', { count: record.problemCount })} flush>
      <ul className="max-h-[32rem] divide-y divide-line overflow-y-auto">
        {problems.map((problem) => (
          <Problem key={`${problem.code} ${problem.object}`} problem={problem} repositoryId={record.repositoryId} />
        ))}
      </ul>
    </Card>
  );
}

function Changes({ changes }: { changes: readonly string[] }) {
  if (changes.length === 0) return null;
  return (
    <Card title={t('repair.changes')} flush>
      <ul className="max-h-80 divide-y divide-line overflow-y-auto" lang="en">
        {changes.map((change) => (
          <li key={change} className="px-4 py-2.5 [overflow-wrap:anywhere]">
            {change}
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** What the work found or did, in detail. */
export function MaintenanceResults({ record }: { record: MaintenanceRecord }) {
  const { check, prune, sweep, repair, copy, forget } = record.result ?? {};
  const cleaned = prune ?? sweep;
  return (
    <>
      {check && <Problems record={record} problems={check.problems} />}
      {check && (
        <Card title={t('check.looked')}>
          <Facts
            items={[
              [t('snapshot.snapshots'), formatNumber(check.snapshotCount)],
              [t('check.packs'), formatNumber(check.packCount)],
              [t('check.blobs'), formatNumber(check.blobCount)],
              [t('check.bytesRead'), formatBytes(check.bytesRead)],
            ]}
          />
        </Card>
      )}
      {cleaned && (
        <Card title={t('prune.figures')}>
          <Facts
            items={[
              [t('prune.before'), formatBytes(cleaned.bytesBefore)],
              [prune ? t('prune.willFree') : t('prune.freed'), formatBytes(cleaned.bytesFreed)],
              [t('prune.unusedLeft'), formatBytes(cleaned.bytesUnusedLeft)],
              [t('prune.repacked'), formatNumber(cleaned.packsRepacked)],
            ]}
          />
        </Card>
      )}
      {repair && <Changes changes={repair.changes} />}
      {repair && repair.newSnapshotIds.length > 0 && (
        <Card title={t('repair.newSnapshots')}>
          <SnapshotLinks repositoryId={record.repositoryId} ids={repair.newSnapshotIds} />
        </Card>
      )}
      {copy && copy.copied.length > 0 && (
        <Card title={t('copy.copied')}>
          <SnapshotLinks repositoryId={record.repositoryId} ids={copy.copied.map(({ from }) => from)} />
        </Card>
      )}
      {forget && forget.removed.length > 0 && (
        <Card title={t('forget.removed')} flush>
          <ul className="max-h-80 divide-y divide-line overflow-y-auto">
            {forget.removed.map((snapshot) => (
              <li key={snapshot.id} className="flex flex-wrap gap-x-4 px-4 py-2.5">
                <span className="font-mono text-[13px]">{snapshot.id.slice(0, 8)}</span>
                <span className="tabular-nums">{formatDateTime(snapshot.time)}</span>
                <span className="min-w-0 font-mono text-xs [overflow-wrap:anywhere] text-ink-3">
                  {snapshot.paths.join(', ')}
                </span>
              </li>
            ))}
          </ul>
        </Card>
      )}
    </>
  );
}
