import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { describeError } from '../../api/error-message.ts';
import { useChange, useDrivers, useStorageTargets, useStorageUsage } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { DriverManifest, StorageTarget } from '../../api/types.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { Badge } from '../../components/Status.tsx';
import { StorageNav } from '../../components/StorageNav.tsx';
import { Time } from '../../components/Time.tsx';
import { toastError } from '../../components/task-actions.tsx';
import { driverTitle } from '../../forms/DriverForm.tsx';
import { formatBytes } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Button, buttonClass, IconButton } from '../../ui/Button.tsx';
import { Card, EmptyState, ProgressBar } from '../../ui/Card.tsx';
import { Icon } from '../../ui/Icon.tsx';

/** Used against capacity, asked from the storage itself; many cannot tell. */
function Usage({ target }: { target: StorageTarget }) {
  const usage = useStorageUsage(target.id);
  const { usedBytes, totalBytes, freeBytes } = usage.data ?? { usedBytes: null, totalBytes: null, freeBytes: null };
  const percent =
    totalBytes && freeBytes !== null
      ? ((totalBytes - freeBytes) / totalBytes) * 100
      : totalBytes && usedBytes !== null
        ? (usedBytes / totalBytes) * 100
        : null;
  return (
    <div>
      <p className="flex items-baseline justify-between gap-3">
        <span className="text-xl font-semibold tabular-nums">{formatBytes(target.storedBytes)}</span>
        <span className="text-[13px] text-ink-3">{t('storage.records', { count: target.recordCount })}</span>
      </p>
      <div className="mt-2 mb-4 min-h-8">
        {percent !== null && (
          <ProgressBar
            percent={percent}
            label={t('storage.usageOf', { name: target.name })}
            tone={percent > 85 ? 'warn' : 'run'}
          />
        )}
        {freeBytes !== null && (
          <p className={`mt-1.5 text-[13px] ${percent !== null && percent > 85 ? 'text-warn' : 'text-ink-2'}`}>
            {t('storage.free', { size: formatBytes(freeBytes) })}
          </p>
        )}
      </div>
    </div>
  );
}

function TestState({ target }: { target: StorageTarget }) {
  if (target.lastTestOk === null) return <Badge look={{ tone: 'none', icon: 'clock' }} word={t('storage.untested')} />;
  const isGood = target.lastTestOk;
  return (
    <div className="min-w-0">
      <p className="flex flex-wrap items-center gap-2">
        <Badge
          look={isGood ? { tone: 'ok', icon: 'check-circle' } : { tone: 'bad', icon: 'x-circle' }}
          word={isGood ? t('storage.works') : t('storage.broken')}
        />
        <span className="text-[13px] text-ink-3">
          <Time at={target.lastTestAt} />
        </span>
      </p>
      {!isGood && target.lastTestMessage && (
        <p className="mt-1.5 line-clamp-3 text-[13px] [overflow-wrap:anywhere] text-bad" title={target.lastTestMessage}>
          {describeError('STORAGE_TEST_FAILED', target.lastTestMessage, '').what}
        </p>
      )}
    </div>
  );
}

/** Where it is, in the words of its own form: the first field that must be filled in. */
function placeOf(target: StorageTarget, driver: DriverManifest | undefined): string {
  const field = driver?.fields.find((item) => item.required && !item.secret && item.kind === 'text');
  const value = field && target.config[field.name];
  return typeof value === 'string' ? value : '';
}

function TargetCard({
  target,
  driver,
  onDelete,
}: {
  target: StorageTarget;
  driver: DriverManifest | undefined;
  onDelete: () => void;
}) {
  const user = useUser();
  const test = useChange('storageTargets.test', ['storage-targets', 'storage-usage']);
  const place = placeOf(target, driver);
  return (
    <Card className="flex flex-col [&>div]:flex [&>div]:flex-1 [&>div]:flex-col">
      <div className="mb-4 flex items-start gap-3">
        <span className="grid size-9 shrink-0 place-items-center rounded-lg bg-raised text-ink-2">
          <Icon name="storage" size={18} />
        </span>
        <div className="min-w-0 flex-1">
          <h2 className="font-semibold [overflow-wrap:anywhere]">{target.name}</h2>
          <p className="text-[13px] text-ink-3">
            {driver ? driverTitle(driver) : target.type}
            {!target.enabled && ` · ${t('storage.disabled')}`}
          </p>
          {place && (
            <p className="truncate font-mono text-xs text-ink-2" title={place}>
              {place}
            </p>
          )}
        </div>
        {user.can('operator') && (
          <div className="flex">
            <Link
              to={paths.editStorage(target.id)}
              aria-label={t('task.editNamed', { name: target.name })}
              title={t('task.editNamed', { name: target.name })}
              className="inline-flex size-8 items-center justify-center rounded-lg text-ink-2 hover:bg-raised hover:text-ink"
            >
              <Icon name="edit" />
            </Link>
            <IconButton icon="trash" label={t('task.deleteNamed', { name: target.name })} onClick={onDelete} />
          </div>
        )}
      </div>
      <Usage target={target} />
      <div className="mt-auto flex flex-wrap items-start justify-between gap-3 border-t border-line pt-4">
        <TestState target={target} />
        {user.can('operator') && (
          <Button
            small
            icon="activity"
            busy={test.isPending}
            onClick={() => test.mutate({ params: { id: target.id } }, { onError: toastError })}
          >
            {t('storage.test')}
          </Button>
        )}
      </div>
    </Card>
  );
}

/** Where backups are kept. */
export default function StoragePage() {
  const user = useUser();
  const query = useStorageTargets();
  const drivers = useDrivers();
  const [deleting, setDeleting] = useState<StorageTarget | null>(null);
  const remove = useChange('storageTargets.remove', ['storage-targets']);
  const add = user.can('operator') && (
    <Link to={paths.newStorage} className={buttonClass('primary')}>
      <Icon name="plus" />
      {t('storage.add')}
    </Link>
  );
  const close = () => {
    remove.reset();
    setDeleting(null);
  };
  return (
    <>
      <PageHeader title={t('nav.storage')} note={t('storage.note')} actions={add} />
      <StorageNav />
      <QueryView query={query}>
        {(targets) =>
          targets.length === 0 ? (
            <Card flush>
              <EmptyState icon="storage" title={t('storage.empty')} text={t('storage.emptyText')} action={add} />
            </Card>
          ) : (
            <div className="grid gap-5 md:grid-cols-2 xl:grid-cols-3">
              {targets.map((target) => (
                <TargetCard
                  key={target.id}
                  target={target}
                  driver={drivers.data?.storages.find((item) => item.type === target.type)}
                  onDelete={() => setDeleting(target)}
                />
              ))}
            </div>
          )
        }
      </QueryView>
      {deleting && (
        <ConfirmDialog
          open
          onClose={close}
          title={t('storage.deleteTitle', { name: deleting.name })}
          confirm={t('storage.delete')}
          busy={remove.isPending}
          error={remove.error}
          onConfirm={() => remove.mutate({ params: { id: deleting.id } }, { onSuccess: close })}
        >
          {t('storage.deleteText')}
        </ConfirmDialog>
      )}
    </>
  );
}
