/** Chinese words of the SQLite source. */
export const sqliteTextsZhCn: Readonly<Record<string, string>> = {
  'driver.sqlite.title': 'SQLite 数据库',
  'driver.sqlite.databases': '数据库文件',
  'driver.sqlite.databases.help': '绝对路径，或通配规则：名称内用 * 和 ?，任意层文件夹用 **，候选用 {a,b}。',
  'driver.sqlite.excludeDatabases': '排除',
  'driver.sqlite.excludeDatabases.help': '不备份的绝对路径的通配规则。',
  'driver.sqlite.lockWaitSeconds': '等待被锁定的数据库（秒）',
  'driver.sqlite.lockWaitSeconds.help': '数据库被其他程序锁定时，最多重试多久。',
  'driver.sqlite.integrityCheck': '对每个副本的检查',
  'driver.sqlite.integrityCheck.help': '快速检查不核对索引与表是否一致。',
  'driver.sqlite.integrityCheck.full': '完整检查',
  'driver.sqlite.integrityCheck.quick': '快速检查',
  'driver.sqlite.rename': '恢复到其他路径',
  'driver.sqlite.rename.help': '每行一条 旧=新，均为文件或文件夹的绝对路径。',
  'driver.sqlite.replaceExisting': '替换已存在的数据库',
  'driver.sqlite.replaceExisting.help': '仅当没有程序打开它们时。',
};
