import { useNavigate } from '@tanstack/react-router';
import { useSettings, useTask } from '../../api/queries.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { TaskForm } from '../../forms/TaskForm.tsx';
import { t } from '../../i18n/i18n.ts';

/** New task, or the settings of one. */
export default function TaskFormPage() {
  const id = useIdParam();
  const navigate = useNavigate();
  const task = useTask(id);
  const settings = useSettings();
  const back =
    id === null
      ? { to: paths.tasks, label: t('nav.tasks') }
      : { to: paths.task(id), label: task.data?.name ?? t('task.task') };
  const nodeId = Number(new URLSearchParams(location.search).get('server')) || undefined;
  return (
    <div className="mx-auto max-w-4xl">
      <PageHeader title={id === null ? t('shortcut.newTask') : t('task.editTitle')} back={back} />
      <QueryView query={settings}>
        {({ timezone }) => {
          const form = (existing: typeof task.data | null) => (
            <TaskForm
              task={existing ?? null}
              defaultZone={timezone}
              nodeId={nodeId}
              onSaved={(saved) => void navigate({ to: paths.task(saved.id) })}
              onCancel={() => void navigate({ to: back.to })}
            />
          );
          return id === null ? form(null) : <QueryView query={task}>{form}</QueryView>;
        }}
      </QueryView>
    </div>
  );
}
