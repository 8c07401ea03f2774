import { useState } from 'react';
import { useDrivers, useRecord, useTask } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { BackupRecord, DriverManifest, Task } from '../../api/types.ts';
import { type Basket, ContentsBrowser } from '../../components/ContentsBrowser.tsx';
import { parentFolder } from '../../components/DirectoryPicker.tsx';
import type { SnapshotPlace } from '../../components/EntryDownload.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { DatabaseRestoreForm } from '../../forms/DatabaseRestoreForm.tsx';
import { RestoreForm } from '../../forms/RestoreForm.tsx';
import { formatDateTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';

function snapshotOf({ repositoryId, snapshotId }: BackupRecord): SnapshotPlace | null {
  return repositoryId > 0 && snapshotId !== '' ? { repositoryId, snapshotId } : null;
}

interface WishesProps {
  readonly record: BackupRecord;
  /** Undefined when it was deleted. */
  readonly task: Task | undefined;
  readonly driver: DriverManifest | undefined;
  readonly basket: Basket;
  readonly onChange: (basket: Basket) => void;
}

/** Where to: folders have their own form, everything else that of its driver. */
function Wishes({ record, task, driver, basket, onChange }: WishesProps) {
  const source = {
    ...{ name: record.taskName, recordId: record.id, snapshot: snapshotOf(record) },
    ...{ nodeId: record.nodeId, nodeName: record.nodeName },
    ...{ path: task?.sourcePaths[0] ?? '', at: record.startedAt },
  };
  const shared = { source, basket, onChange };
  if (!driver || driver.fields.some((field) => field.name === 'paths')) return <RestoreForm {...shared} />;
  return <DatabaseRestoreForm {...shared} driver={driver} serverName={task?.dbHost ?? ''} />;
}

/** Where there is something to choose from: the databases, or the one folder that was backed up, from beside it. */
function startOf(driver: DriverManifest | undefined, task: Task | undefined): string {
  if (driver?.canSaveTarget) return `/${driver.type}`;
  const sources = task?.sourcePaths ?? [];
  return sources.length === 1 && sources[0] !== '/' ? parentFolder(sources[0] ?? '') : '';
}

/** Databases that are files lie below the folders of their machine. */
function areFiles(driver: DriverManifest | undefined): boolean {
  return driver?.canSaveTarget === true && !driver.restoreFields?.some((field) => field.place);
}

const databaseWords = () => ({ root: t('sourceRestore.root'), search: t('sourceRestore.search') });

/** Third and fourth question: what, and where to. */
export default function RestoreFromPage() {
  const recordId = useIdParam('recordId');
  const user = useUser();
  const query = useRecord(recordId);
  const task = useTask(query.data?.taskId ?? null);
  const drivers = useDrivers();
  const driver = drivers.data?.sources.find((one) => one.type === query.data?.taskType);
  const [basket, setBasket] = useState<Basket>(new Map());
  return (
    <QueryView query={query}>
      {(record) => (
        <>
          <PageHeader
            title={t('restore.of', { name: record.taskName })}
            note={t('restore.asOf', { time: formatDateTime(record.startedAt) })}
            back={{ to: paths.restoreTask(record.taskId), label: t('restore.otherVersion') }}
          />
          <div className="grid items-start gap-5 lg:grid-cols-[minmax(0,1fr)_24rem]">
            {!task.isPending && drivers.data && (
              <ContentsBrowser
                source={{ recordId: record.id }}
                downloads={user.can('operator') ? (snapshotOf(record) ?? undefined) : undefined}
                start={startOf(driver, task.data)}
                goesAhead={areFiles(driver)}
                words={driver?.canSaveTarget ? databaseWords() : undefined}
                basket={basket}
                onChange={setBasket}
              />
            )}
            {user.can('operator') && !task.isPending && drivers.data && (
              <Wishes record={record} task={task.data} driver={driver} basket={basket} onChange={setBasket} />
            )}
          </div>
        </>
      )}
    </QueryView>
  );
}
