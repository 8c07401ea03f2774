import { formatList } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';

interface Retention {
  readonly retentionDays: number;
  readonly maxBackups: number;
  readonly keepDaily: number;
  readonly keepWeekly: number;
  readonly keepMonthly: number;
  readonly keepYearly: number;
}

/** The plain rules, which hold together: a backup stays while it is young enough and among the newest. */
function plainWords({ retentionDays, maxBackups }: Retention): string {
  const span = t('retention.span', { count: retentionDays });
  const newest = t('retention.newest', { count: maxBackups });
  if (retentionDays > 0 && maxBackups > 0) return t('retention.newestWithin', { newest, span });
  if (retentionDays > 0) return t('retention.allWithin', { span });
  return maxBackups > 0 ? newest : '';
}

/** `Keeps every backup of the last 30 days, and 8 weekly and 12 monthly backups.` */
export function retentionWords(rule: Retention): string {
  const plain = plainWords(rule);
  const kept = [
    rule.keepDaily > 0 && t('retention.daily', { count: rule.keepDaily }),
    rule.keepWeekly > 0 && t('retention.weekly', { count: rule.keepWeekly }),
    rule.keepMonthly > 0 && t('retention.monthly', { count: rule.keepMonthly }),
    rule.keepYearly > 0 && t('retention.yearly', { count: rule.keepYearly }),
  ].filter((part) => part !== false);
  const list = formatList(kept);
  if (kept.length === 0) return plain ? t('retention.keepsPlain', { plain }) : t('retention.everything');
  return plain ? t('retention.keepsBoth', { plain, list }) : t('retention.keeps', { list });
}
