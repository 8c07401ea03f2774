import type { ReactNode } from 'react';
import { useProgress } from '../../api/live.ts';
import { useUser } from '../../api/session.ts';
import type { JobProgress, RecordStatus, RunKind } from '../../api/types.ts';
import { LogView } from '../../components/LogView.tsx';
import { PhaseBar } from '../../components/PhaseBar.tsx';
import { RunProgress } from '../../components/RunProgress.tsx';
import { toastError } from '../../components/task-actions.tsx';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card } from '../../ui/Card.tsx';

/** What runs of every kind have. */
interface Run {
  readonly id: number;
  readonly status: RecordStatus;
  readonly progress: JobProgress | null;
  readonly logContent: string;
}

/** The page of a run below its header: how it ended, what it does, its phases, what it found, its log; facts beside them. */
export function RunBody({
  kind,
  record,
  outcome,
  mayClose,
  isWaiting = false,
  facts,
  children,
}: {
  kind: RunKind;
  record: Run;
  outcome: ReactNode;
  /** Says that the work goes on without this page. */
  mayClose?: string;
  /** It has not begun, and `outcome` says what it waits for. */
  isWaiting?: boolean;
  facts: ReactNode;
  /** What it found. */
  children?: ReactNode;
}) {
  const progress = useProgress(kind, record.id, record.progress);
  const isRunning = record.status === 'running';
  return (
    <div className="grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_22rem]">
      <div className="min-w-0 space-y-5">
        {outcome}
        {isRunning && !isWaiting && (
          <Card>
            <RunProgress kind={kind} id={record.id} known={record.progress} />
            {mayClose && <p className="mt-4 text-[13px] text-ink-3">{mayClose}</p>}
          </Card>
        )}
        <Card>
          <PhaseBar status={record.status} phase={progress?.phase ?? null} />
        </Card>
        {children}
        <Card title={t('log.title')}>
          <LogView kind={kind} id={record.id} stored={record.logContent} isRunning={isRunning} />
        </Card>
      </div>
      <div className="space-y-5">{facts}</div>
    </div>
  );
}

interface Cancelling {
  readonly isPending: boolean;
  mutate(input: { params: { id: number } }, options: { onError: (error: unknown) => void }): void;
}

/** Cancels a run, for those who may. */
export function CancelRun({ id, cancel, label }: { id: number; cancel: Cancelling; label: string }) {
  const user = useUser();
  if (!user.can('operator')) return null;
  return (
    <Button
      icon="stop"
      busy={cancel.isPending}
      onClick={() => cancel.mutate({ params: { id } }, { onError: toastError })}
    >
      {label}
    </Button>
  );
}
