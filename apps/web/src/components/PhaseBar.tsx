import type { JobPhase, RecordStatus } from '../api/types.ts';
import { t } from '../i18n/i18n.ts';
import { Icon, type IconName } from '../ui/Icon.tsx';

const PHASES: readonly JobPhase[] = ['queued', 'preparing', 'running', 'finishing'];

/** The steps of a run: done, under way, or where it stopped. */
export function PhaseBar({ status, phase }: { status: RecordStatus; phase: JobPhase | null }) {
  const isRunning = status === 'running';
  const isGood = status === 'success' || status === 'warning';
  const at = isGood ? PHASES.length : Math.max(0, PHASES.indexOf(phase ?? (isRunning ? 'queued' : 'running')));
  return (
    <ol className="flex flex-wrap gap-x-1 gap-y-2" aria-label={t('phase.label')}>
      {PHASES.map((name, index) => {
        const state = index < at ? 'done' : index > at ? 'todo' : isRunning ? 'now' : 'stopped';
        const icon: IconName = ({ done: 'check', todo: 'dash', now: 'spinner', stopped: 'x' } as const)[state];
        const tone = { done: 'text-ok', todo: 'text-ink-3', now: 'text-run', stopped: 'text-bad' }[state];
        return (
          <li key={name} className={`flex items-center gap-1.5 text-[13px] font-medium ${tone}`}>
            {index > 0 && <span aria-hidden="true" className="mx-1 h-px w-5 bg-line sm:w-8" />}
            <Icon name={icon} size={14} className={state === 'now' ? 'spin' : ''} />
            {t(`phase.${name}`)}
            <span className="sr-only">{t(`phaseState.${state}`)}</span>
          </li>
        );
      })}
    </ol>
  );
}
