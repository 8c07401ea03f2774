import { useRef } from 'react';
import { call } from '../api/client.ts';
import { queryClient, useDrivers, useNodes } from '../api/queries.ts';
import type { Task } from '../api/types.ts';
import { ErrorBox } from '../components/ErrorBox.tsx';
import { UnsavedChanges } from '../components/UnsavedChanges.tsx';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Card } from '../ui/Card.tsx';
import { SelectField, TextField } from '../ui/Field.tsx';
import { sentValues } from './DriverForm.tsx';
import { RetentionFields } from './RetentionFields.tsx';
import { ScheduleField } from './ScheduleField.tsx';
import { TaskPlaceFields } from './TaskPlaceFields.tsx';
import { sourceProblems, TaskSourceFields } from './TaskSourceFields.tsx';
import { initialTaskValues, type TaskValues, taskBody } from './task-values.ts';
import { useForm } from './use-form.ts';
import { VerifyFields } from './VerifyFields.tsx';

/** Creates or changes a task, section by section on one page. */
export function TaskForm({
  task,
  defaultZone,
  nodeId,
  onSaved,
  onCancel,
}: {
  task: Task | null;
  defaultZone: string;
  /** The server a new task starts with. */
  nodeId?: number;
  onSaved: (task: Task) => void;
  onCancel: () => void;
}) {
  const nodes = useNodes();
  const sources = useDrivers().data?.sources ?? [];
  // A ref, not state: the guard must see the form as saved at once, not after the next drawing.
  const isDone = useRef(false);
  const form = useForm<TaskValues>({
    initial: initialTaskValues(task, nodeId),
    validate: (values) => ({
      ...(values.name.trim() ? {} : { name: t('field.required') }),
      ...sourceProblems(sources, values),
      ...(values.storageTargetIds.length > 0 ? {} : { storageTargetIds: t('task.targetRequired') }),
    }),
    submit: async (values) => {
      const fields = sources.find((one) => one.type === values.type)?.fields ?? [];
      const body = { ...taskBody(values, task), extraConfig: sentValues(fields, values.extraConfig) };
      const saved = task
        ? await call('tasks.update', { params: { id: task.id }, body })
        : await call('tasks.create', { body });
      isDone.current = true;
      for (const key of ['tasks', 'task', 'overview']) void queryClient.invalidateQueries({ queryKey: [key] });
      onSaved(saved);
    },
  });
  const { values, set, problem } = form;
  const local = nodes.data?.find((node) => node.isLocal);
  const node = nodes.data?.find((item) => item.id === values.nodeId) ?? local;
  return (
    <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-5">
      <UnsavedChanges when={() => form.isDirty && !isDone.current} />
      <Card title={t('task.sectionWhat')}>
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label={t('task.name')}
            value={values.name}
            onChange={(value) => set('name', value)}
            onBlur={() => form.touch('name')}
            error={problem('name')}
            autoFocus={!task}
          />
          <SelectField
            label={t('task.server')}
            value={String(node?.id ?? values.nodeId)}
            onChange={(value) => set('nodeId', Number(value))}
            error={problem('nodeId')}
            options={(nodes.data ?? []).map((item) => ({
              value: String(item.id),
              label: item.status === 'online' ? item.name : t('task.serverOffline', { name: item.name }),
            }))}
          />
        </div>
        <TaskSourceFields form={form} task={task} node={node} drivers={sources} />
      </Card>
      <Card title={t('task.sectionWhen')}>
        <ScheduleField
          cronExpr={values.cronExpr}
          timezone={values.timezone}
          defaultZone={defaultZone}
          onChange={(next) => form.setAll({ ...values, ...next })}
          error={problem('cronExpr')}
        />
      </Card>
      <Card title={t('task.sectionWhere')}>
        <TaskPlaceFields form={form} node={node} />
      </Card>
      <Card title={t('task.sectionKeep')}>
        <RetentionFields values={values} onChange={(next) => form.setAll({ ...values, ...next })} />
      </Card>
      <Card title={t('verify.section')}>
        <VerifyFields
          values={values}
          onChange={(next) => form.setAll({ ...values, ...next })}
          error={problem('verifyCronExpr')}
        />
      </Card>
      <ErrorBox error={form.error} />
      <div className="sticky bottom-0 z-20 -mx-1 flex flex-wrap gap-2 bg-canvas/95 px-1 py-3 max-lg:bottom-15">
        <Button type="submit" kind="primary" busy={form.isBusy}>
          {task ? t('action.save') : t('task.create')}
        </Button>
        <Button kind="ghost" onClick={onCancel}>
          {t('action.cancel')}
        </Button>
      </div>
    </form>
  );
}
