/** Chinese words of the SAP HANA source. */
export const saphanaTextsZhCn: Readonly<Record<string, string>> = {
  'driver.saphana.title': 'SAP HANA 数据库',
  'driver.saphana.userStoreKey': 'hdbuserstore 密钥',
  'driver.saphana.userStoreKey.help':
    '由 "hdbuserstore SET <密钥> <主机>:3<实例>13@SYSTEMDB <用户> <密码>" 创建，其中保存地址、用户和密码。',
  'driver.saphana.systemUser': '以此用户运行程序',
  'driver.saphana.systemUser.help':
    '拥有该密钥的操作系统用户，通常是 <sid>adm；仅 root 可用。留空：运行 BackupX 的用户。',
  'driver.saphana.databases': '数据库',
  'driver.saphana.databases.help': 'SYSTEMDB 和租户名称。留空：全部，包括新建的。',
  'driver.saphana.excludeDatabases': '排除',
  'driver.saphana.excludeDatabases.help': '不备份的名称；* 代表任意字符。',
  'driver.saphana.backupKind': '备份类型',
  'driver.saphana.backupKind.help': '增量和差异备份恢复时需要之前的完整备份，没有则失败。',
  'driver.saphana.backupKind.complete': '完整',
  'driver.saphana.backupKind.incremental': '增量',
  'driver.saphana.backupKind.differential': '差异',
  'driver.saphana.method': '数据途径',
  'driver.saphana.method.help': '文件：HANA 写入下面的文件夹，取走后删除。Backint：HANA 通过其 Backint 代理发送。',
  'driver.saphana.method.file': '文件',
  'driver.saphana.method.backint': 'Backint 接口',
  'driver.saphana.backupFolder': '备份文件夹',
  'driver.saphana.backupFolder.help': '位于数据库主机上，HANA 必须可写。同一时间只存放一个数据库的备份。',
  'driver.saphana.toolFolder': 'hdbsql 所在文件夹',
  'driver.saphana.toolFolder.help': '留空：/usr/sap/hdbclient、各实例的文件夹和常用位置。',
};
