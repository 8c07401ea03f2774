import { beforeEach, expect, test } from 'vitest';
import { en } from '../i18n/en.ts';
import { installLocale } from '../i18n/i18n.ts';
import { zhCN } from '../i18n/zh-cn.ts';
import { retentionWords } from './retention-words.ts';

const none = { retentionDays: 0, maxBackups: 0, keepDaily: 0, keepWeekly: 0, keepMonthly: 0, keepYearly: 0 };
beforeEach(() => installLocale('en', en));

test.each([
  [{}, 'Keeps every backup for ever.'],
  [{ keepDaily: 7, keepWeekly: 4, keepMonthly: 6 }, 'Keeps 7 daily, 4 weekly, and 6 monthly backups.'],
  [{ retentionDays: 30 }, 'Keeps every backup of the last 30 days.'],
  [{ retentionDays: 1 }, 'Keeps every backup of the last day.'],
  [{ maxBackups: 1 }, 'Keeps the newest backup.'],
  [{ retentionDays: 30, maxBackups: 7 }, 'Keeps the newest 7 backups of the last 30 days.'],
  [{ retentionDays: 30, keepWeekly: 8 }, 'Keeps every backup of the last 30 days, plus 8 weekly backups.'],
])('%j reads as a sentence', (rule, words) => {
  expect(retentionWords({ ...none, ...rule })).toBe(words);
});

test('and in Chinese', () => {
  installLocale('zh-CN', zhCN);
  expect(retentionWords({ ...none, retentionDays: 30, keepWeekly: 8 })).toBe(
    '保留最近 30 天的所有备份，以及每周 8 个备份。',
  );
  expect(retentionWords({ ...none, retentionDays: 30, maxBackups: 7 })).toBe('保留最近 30 天内最新的 7 个备份。');
});
