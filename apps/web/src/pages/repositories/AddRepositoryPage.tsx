import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { AddRepositoryForm } from '../../forms/AddRepositoryForm.tsx';
import { t } from '../../i18n/i18n.ts';
import { showToast } from '../../ui/Toast.tsx';
import { type Created, NewRepositoryKit } from './NewRepositoryKit.tsx';

/** Makes a repository, or takes in one that exists; the kit of a new one is shown before anything else. */
export default function AddRepositoryPage() {
  const navigate = useNavigate();
  const [created, setCreated] = useState<Created | null>(null);
  const open = (id: number) => void navigate({ to: paths.repository(id) });
  return (
    <div className="mx-auto max-w-2xl">
      <PageHeader
        title={created ? created.repository.name : t('repository.add')}
        back={{ to: paths.repositories, label: t('repository.repositories') }}
      />
      {created ? (
        <NewRepositoryKit created={created} onDone={() => open(created.repository.id)} />
      ) : (
        <AddRepositoryForm
          onCreated={setCreated}
          onAdopted={({ repository, snapshotCount }) => {
            showToast({ text: t('repository.adopted', { count: snapshotCount }) });
            open(repository.id);
          }}
          onCancel={() => void navigate({ to: paths.repositories })}
        />
      )}
    </div>
  );
}
