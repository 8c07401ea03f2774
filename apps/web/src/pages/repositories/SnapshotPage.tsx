import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { useNodes } from '../../api/queries.ts';
import { useRepository, useSnapshot } from '../../api/repository-queries.ts';
import { useUser } from '../../api/session.ts';
import type { Repository, RepositorySnapshot } from '../../api/types.ts';
import { type Basket, ContentsBrowser } from '../../components/ContentsBrowser.tsx';
import { parentFolder } from '../../components/DirectoryPicker.tsx';
import type { SnapshotPlace } from '../../components/EntryDownload.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { SnapshotFigures } from '../../components/SnapshotFigures.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { RestoreForm } from '../../forms/RestoreForm.tsx';
import type { RestoreSource } from '../../forms/use-start-restore.ts';
import { formatDateTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Callout, Card, EmptyState, Facts } from '../../ui/Card.tsx';
import { SnapshotActions } from './SnapshotActions.tsx';

function SnapshotFacts({ snapshot }: { snapshot: RepositorySnapshot }) {
  const { summary, recordId } = snapshot;
  const mono = (text: string) => <span className="font-mono text-[13px]">{text}</span>;
  return (
    <div className="grid items-start gap-5 lg:grid-cols-2">
      {summary && (
        <Card title={t('snapshot.brought')}>
          <SnapshotFigures figures={{ ...summary, bytesTotal: summary.bytesProcessed }} />
        </Card>
      )}
      <Card title={t('record.facts')}>
        <Facts
          items={[
            [t('snapshot.host'), snapshot.hostname],
            [t('task.paths'), mono(snapshot.paths.join('\n'))],
            recordId === null
              ? [t('snapshot.madeBy'), snapshot.programVersion || t('snapshot.otherProgram')]
              : [
                  t('snapshot.madeBy'),
                  <Link key="r" to={paths.record(recordId)} className="text-accent-ink hover:underline">
                    {`${snapshot.taskName}, ${t('record.number', { id: String(recordId) })}`}
                  </Link>,
                ],
            snapshot.tags.length > 0 ? [t('snapshot.tags'), snapshot.tags.join(', ')] : null,
            [
              t('snapshot.id'),
              <span key="i" className="break-all select-all">
                {mono(snapshot.id)}
              </span>,
            ],
          ]}
        />
      </Card>
    </div>
  );
}

function restoreSourceOf(repository: Repository, snapshot: RepositorySnapshot, localNodeId: number): RestoreSource {
  return {
    name: snapshot.taskName || repository.name,
    recordId: snapshot.recordId,
    snapshot: { repositoryId: repository.id, snapshotId: snapshot.id },
    nodeId: repository.nodeId || localNodeId,
    nodeName: repository.nodeName,
    path: snapshot.paths[0] ?? '',
    at: snapshot.time,
  };
}

function SnapshotView({ repository, snapshot }: { repository: Repository; snapshot: RepositorySnapshot }) {
  const user = useUser();
  const nodes = useNodes();
  const [basket, setBasket] = useState<Basket>(new Map());
  const place: SnapshotPlace = { repositoryId: repository.id, snapshotId: snapshot.id };
  const [folder = ''] = snapshot.paths;
  const start = snapshot.paths.length === 1 && folder !== '/' ? parentFolder(folder) : '';
  const canRestore = user.can('operator');
  const localNodeId = nodes.data?.find((node) => node.isLocal)?.id ?? 0;
  return (
    <>
      <PageHeader
        title={t('snapshot.of', { time: formatDateTime(snapshot.time) })}
        note={repository.name}
        back={{ to: paths.repository(repository.id), label: repository.name }}
        actions={<SnapshotActions repository={repository} snapshot={snapshot} />}
      />
      <div className="space-y-5">
        {snapshot.isTimeSuspect && (
          <Callout
            tone="warn"
            icon="alert"
            title={t('snapshot.timeSuspect', {
              time: snapshot.arrivedAt ? formatDateTime(snapshot.arrivedAt) : '–',
            })}
          />
        )}
        <SnapshotFacts snapshot={snapshot} />
        <div className={`grid items-start gap-5 ${canRestore ? 'lg:grid-cols-[minmax(0,1fr)_24rem]' : ''}`}>
          <ContentsBrowser
            source={place}
            downloads={canRestore && repository.isReachableFromMaster ? place : undefined}
            start={start}
            basket={basket}
            onChange={setBasket}
          />
          {canRestore && nodes.data && (
            <RestoreForm
              source={restoreSourceOf(repository, snapshot, localNodeId)}
              basket={basket}
              onChange={setBasket}
            />
          )}
        </div>
      </div>
    </>
  );
}

/** One snapshot, whoever made it: what it brought, what is in it, and the way to get it back. */
export default function SnapshotPage() {
  const id = useIdParam();
  const { snapshotId = '' } = useParams({ strict: false }) as { snapshotId?: string };
  const repository = useRepository(id);
  const snapshot = useSnapshot(id ?? 0, snapshotId);
  return (
    <QueryView query={repository}>
      {(found) => (
        <QueryView query={snapshot}>
          {(one) =>
            one ? (
              <SnapshotView key={one.id} repository={found} snapshot={one} />
            ) : (
              <EmptyState icon="search" title={t('snapshot.gone')} text={t('snapshot.goneText')} />
            )
          }
        </QueryView>
      )}
    </QueryView>
  );
}
