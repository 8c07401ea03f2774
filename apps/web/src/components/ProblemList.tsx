import type { ItemProblem } from '../api/types.ts';
import { t } from '../i18n/i18n.ts';
import { Card } from '../ui/Card.tsx';
import { Icon } from '../ui/Icon.tsx';

/** Files that could not be handled as asked, each with its reason. */
export function ProblemList({ problems, total }: { problems: readonly ItemProblem[]; total: number }) {
  if (total === 0) return null;
  return (
    <Card title={t('problems.title')} note={t('problems.count', { count: total })} flush>
      <ul className="max-h-80 divide-y divide-line overflow-y-auto">
        {problems.map((problem) => (
          <li key={`${problem.path} ${problem.code}`} className="flex gap-2.5 px-4 py-2.5">
            <Icon name="alert" className="mt-0.5 text-warn" />
            <div className="min-w-0">
              <p className="font-mono text-[13px] [overflow-wrap:anywhere]">{problem.path}</p>
              <p className="text-[13px] text-ink-2">
                {t(`problem.${problem.code}`)}
                {problem.message && <span className="text-ink-3" lang="en">{` · ${problem.message}`}</span>}
              </p>
            </div>
          </li>
        ))}
      </ul>
      {problems.length < total && (
        <p className="border-t border-line px-4 py-2.5 text-[13px] text-ink-3">
          {t('problems.more', { count: total - problems.length })}
        </p>
      )}
    </Card>
  );
}
