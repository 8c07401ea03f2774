/** 数据库等数据源的中文。 */

import type { enSources } from './en-sources.ts';
import type { Text } from './i18n.ts';

export const zhCNSources: Readonly<Record<keyof typeof enSources, Text>> = {
  'source.all': '全部数据库，包括以后新建的',
  'source.chooseDatabases': '备份哪些数据库',
  'source.connected': '已连接：{server}',
  'source.kind': '数据类型',
  'source.paste': '连接字符串',
  'source.pasteHelp': '粘贴后自动填写下面的字段，例如 postgres://user:password@host:5432/shop。',
  'source.pasteWrong': '这不是连接字符串。',
  'source.readOnlyUser': '只读用户',
  'source.readOnlyUserHelp': '请以管理员身份在服务器上执行，使用您自己的密码，然后在这里使用该用户。',
  'source.test': '测试连接',
  'source.tool': '转储程序：{tool}',
  'source.what': '数据源',
  'sourceRestore.another': '另一台服务器',
  'sourceRestore.anotherHelp': '任务中保存的密码不会用于那里。',
  'sourceRestore.dangerMany': '这将替换 {server} 上备份“{name}”中已存在的数据库。恢复完整之前，原有数据库保持不变。',
  'sourceRestore.dangerOne': '这将替换 {server} 上的数据库 {name}。恢复完整之前，原有数据库保持不变。',
  'sourceRestore.everything': '此备份中的全部数据库。选择后只恢复所选的。',
  'sourceRestore.files': '以文件形式放入文件夹',
  'sourceRestore.filesHelp': '只写出转储文件，不改动任何数据库。',
  'sourceRestore.keepsExisting': '若已有同名且非空的数据库，恢复会停止，不会替换任何内容。',
  'sourceRestore.options': '选项',
  'sourceRestore.same': '原来的位置',
  'sourceRestore.sameHelp': '任务的服务器或位置。',
  'sourceRestore.toServer': '恢复到 {server}，由 {node} 执行',
};
