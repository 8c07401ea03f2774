/** 备份验证的中文。 */
import type { enVerifications } from './en-verifications.ts';
import type { Text } from './i18n.ts';

export const zhCNVerifications: Readonly<Record<keyof typeof enVerifications, Text>> = {
  'verify.action': '验证',
  'verify.checks': '检查内容',
  'verify.damaged': '发现损坏',
  'verify.deep': '深度',
  'verify.deepHelp': '读取全部数据；转储会恢复到临时位置，文件则抽样恢复，然后进行比对。',
  'verify.failedText': '此备份无法按原样恢复：{summary}',
  'verify.last': '上次验证',
  'verify.lastBad': '发现损坏，{mode}，{time}',
  'verify.lastGood': '通过，{mode}，{time}',
  'verify.mode': '方式',
  'verify.never': '从未',
  'verify.none': '还没有验证',
  'verify.noneText': '验证可以证明备份能够恢复。可在备份页面上启动，或按任务的计划运行。',
  'verify.of': '{name} 的验证',
  'verify.passed': '通过',
  'verify.quick': '快速',
  'verify.quickHelp': '检查结构：所需内容齐全且可以打开。',
  'verify.record': '备份',
  'verify.scheduled': '按计划验证最新的备份',
  'verify.section': '验证',
  'verify.start': '开始验证',
  'verify.title': '验证此备份',
  'verify.verifications': '验证',
  'verify.when': '时间（cron 表达式）',
};
