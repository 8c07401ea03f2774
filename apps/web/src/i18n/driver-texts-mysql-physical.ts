import { mysqlTextsZhCn } from './driver-texts-mysql.ts';

/** The connection is that of the driver for single databases. */
const connection = Object.entries(mysqlTextsZhCn)
  .filter(([key]) => /\.(?:db|tls)[A-Z]/.test(key))
  .map(([key, text]) => [key.replace('driver.mysql.', 'driver.mysql-physical.'), text]);

/** Chinese words of the driver for whole servers of MySQL and MariaDB. */
export const mysqlPhysicalTextsZhCn: Readonly<Record<string, string>> = {
  ...Object.fromEntries(connection),
  'driver.mysql-physical.title': 'MySQL / MariaDB 整个服务器（物理备份）',
  'driver.mysql-physical.dataFolder': '服务器的数据目录',
  'driver.mysql-physical.dataFolder.help':
    '位于运行任务的机器上；服务器在容器中时，填写容器外的位置。备份时留空：由服务器告知。恢复时须是新目录或空目录；留空：任务的数据目录。',
  'driver.mysql-physical.toolFolder': '程序所在目录',
  'driver.mysql-physical.toolFolder.help': 'mariadb-backup 或 xtrabackup 不在常用位置时填写。',
  'driver.mysql-physical.keepReplaced': '保留被替换的内容',
  'driver.mysql-physical.keepReplaced.help':
    '移到“<目录>.replaced-<时间>”，直到您将其删除。如果该目录是独立的文件系统则无法保留，将被删除。',
  'driver.mysql-physical.replaceExisting': '替换已存在的内容',
  'driver.mysql-physical.replaceExisting.help': '用于已有服务器数据的目录，该服务器必须已停止。关闭：停止恢复。',
  'driver.mysql-physical.owner': '文件的所有者',
  'driver.mysql-physical.owner.help': '运行服务器的用户。留空：该目录的所有者，新目录则为 mysql；仅 root 可选择。',
};
