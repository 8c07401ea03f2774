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

/** `Keeps 7 daily, 4 weekly and 6 monthly backups.` */
export function retentionWords(rule: Retention): string {
  const parts = [
    rule.keepDaily > 0 && t('retention.daily', { count: rule.keepDaily }),
    rule.keepWeekly > 0 && t('retention.weekly', { count: rule.keepWeekly }),
    rule.keepMonthly > 0 && t('retention.monthly', { count: rule.keepMonthly }),
    rule.keepYearly > 0 && t('retention.yearly', { count: rule.keepYearly }),
    rule.retentionDays > 0 && t('retention.days', { count: rule.retentionDays }),
    rule.maxBackups > 0 && t('retention.newest', { count: rule.maxBackups }),
  ].filter((part) => part !== false);
  return parts.length === 0 ? t('retention.everything') : t('retention.keeps', { list: formatList(parts) });
}
