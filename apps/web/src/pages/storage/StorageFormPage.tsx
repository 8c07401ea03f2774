import { useNavigate } from '@tanstack/react-router';
import { useDrivers, useStorageTargets } from '../../api/queries.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { StorageTargetForm } from '../../forms/StorageTargetForm.tsx';
import { t } from '../../i18n/i18n.ts';
import { Card, EmptyState } from '../../ui/Card.tsx';

/** New storage target, or the settings of one. */
export default function StorageFormPage() {
  const id = useIdParam();
  const navigate = useNavigate();
  const drivers = useDrivers();
  const targets = useStorageTargets();
  const leave = () => void navigate({ to: paths.storage });
  return (
    <div className="mx-auto max-w-2xl">
      <PageHeader
        title={id === null ? t('storage.add') : t('storage.editTitle')}
        back={{ to: paths.storage, label: t('nav.storage') }}
      />
      <QueryView query={drivers}>
        {({ storages }) => (
          <QueryView query={targets}>
            {(items) => {
              const target = items.find((item) => item.id === id) ?? null;
              if (id !== null && !target)
                return <EmptyState icon="search" title={t('notFound.title')} text={t('notFound.text')} />;
              return (
                <Card>
                  <StorageTargetForm drivers={storages} target={target} onSaved={leave} onCancel={leave} guard />
                </Card>
              );
            }}
          </QueryView>
        )}
      </QueryView>
    </div>
  );
}
