/** States as icon, word and colour, the same everywhere. */
import type { Node, OverviewException, RecordStatus, Repository, StripDay } from '../api/types.ts';
import { type MessageKey, t } from '../i18n/i18n.ts';
import { Icon, type IconName } from '../ui/Icon.tsx';

type Tone = 'ok' | 'warn' | 'bad' | 'run' | 'none';
const toneClass: Readonly<Record<Tone, string>> = {
  ok: 'bg-ok-soft text-ok',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  run: 'bg-run-soft text-run',
  none: 'bg-raised text-ink-2',
};

interface Look {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly word: MessageKey;
}

const recordLooks: Readonly<Record<RecordStatus, Look>> = {
  running: { tone: 'run', icon: 'spinner', word: 'status.running' },
  success: { tone: 'ok', icon: 'check-circle', word: 'status.success' },
  warning: { tone: 'warn', icon: 'alert', word: 'status.warning' },
  failed: { tone: 'bad', icon: 'x-circle', word: 'status.failed' },
  cancelled: { tone: 'none', icon: 'ban', word: 'status.cancelled' },
  interrupted: { tone: 'bad', icon: 'power', word: 'status.interrupted' },
};

const nodeLooks: Readonly<Record<Node['status'], Look>> = {
  pending: { tone: 'none', icon: 'clock', word: 'node.pending' },
  online: { tone: 'ok', icon: 'check-circle', word: 'node.online' },
  offline: { tone: 'bad', icon: 'x-circle', word: 'node.offline' },
};

/** Word, icon and colour of one day of the strip. */
export const stripLooks: Readonly<Record<StripDay['state'], Look & { readonly fill: string }>> = {
  success: { tone: 'ok', icon: 'check', word: 'strip.success', fill: 'bg-ok-mark h-full' },
  warning: { tone: 'warn', icon: 'alert', word: 'strip.warning', fill: 'bg-warn-mark h-3/4' },
  failed: { tone: 'bad', icon: 'x', word: 'strip.failed', fill: 'bg-bad-mark h-1/2' },
  missed: { tone: 'bad', icon: 'clock', word: 'strip.missed', fill: 'border-2 border-bad-mark h-1/2' },
  running: { tone: 'run', icon: 'spinner', word: 'strip.running', fill: 'bg-run-mark h-full' },
  none: { tone: 'none', icon: 'dash', word: 'strip.none', fill: 'bg-none-mark h-1' },
};

/** Why a task needs somebody, worst first. */
export const exceptionLooks: Readonly<Record<OverviewException['reason'], Look>> = {
  failed: { tone: 'bad', icon: 'x-circle', word: 'exception.failed' },
  never_ran: { tone: 'bad', icon: 'clock', word: 'exception.never_ran' },
  rpo_breached: { tone: 'bad', icon: 'clock', word: 'exception.rpo_breached' },
  missed: { tone: 'bad', icon: 'clock', word: 'exception.missed' },
  warning: { tone: 'warn', icon: 'alert', word: 'exception.warning' },
  repository_damaged: { tone: 'bad', icon: 'alert', word: 'exception.repository_damaged' },
  verify_failed: { tone: 'bad', icon: 'alert', word: 'exception.verify_failed' },
  node_offline: { tone: 'bad', icon: 'servers', word: 'exception.node_offline' },
  disabled: { tone: 'none', icon: 'pause', word: 'exception.disabled' },
};

export function Badge({ look, word }: { look: Pick<Look, 'tone' | 'icon'>; word: string }) {
  return (
    <span
      className={`inline-flex h-6 items-center gap-1.5 rounded-full px-2 text-xs font-medium whitespace-nowrap ${toneClass[look.tone]}`}
    >
      <Icon name={look.icon} size={13} className={look.icon === 'spinner' ? 'spin' : ''} />
      {word}
    </span>
  );
}

/** `word` says it more exactly than the state alone. */
export function RecordStatusBadge({ status, word }: { status: RecordStatus; word?: string }) {
  const look = recordLooks[status];
  return <Badge look={look} word={word ?? t(look.word as 'status.running')} />;
}

const repositoryLooks: Readonly<Record<Repository['state'] | 'unchecked', Look>> = {
  new: { tone: 'none', icon: 'clock', word: 'repositoryState.new' },
  ok: { tone: 'ok', icon: 'check-circle', word: 'repositoryState.ok' },
  damaged: { tone: 'bad', icon: 'x-circle', word: 'repositoryState.damaged' },
  unchecked: { tone: 'none', icon: 'dash', word: 'repositoryState.unchecked' },
};

/** Nobody calls a repository sound before it was looked at. */
export function RepositoryStateBadge({ repository }: { repository: Pick<Repository, 'state' | 'lastCheckAt'> }) {
  const { state, lastCheckAt } = repository;
  const look = repositoryLooks[state === 'ok' && lastCheckAt === null ? 'unchecked' : state];
  return <Badge look={look} word={t(look.word as 'repositoryState.ok')} />;
}

export function NodeStatusBadge({ status }: { status: Node['status'] }) {
  const look = nodeLooks[status];
  return <Badge look={look} word={t(look.word as 'node.online')} />;
}

/** Last state of a task: of its newest run, or that it never ran, or that it is switched off. */
export function TaskStateBadge({ task }: { task: { enabled: boolean; lastRun: { status: RecordStatus } | null } }) {
  if (task.lastRun?.status === 'running') return <RecordStatusBadge status="running" />;
  if (!task.enabled) return <Badge look={{ tone: 'none', icon: 'pause' }} word={t('status.disabled')} />;
  if (!task.lastRun) return <Badge look={{ tone: 'none', icon: 'clock' }} word={t('status.neverRan')} />;
  return <RecordStatusBadge status={task.lastRun.status} />;
}
