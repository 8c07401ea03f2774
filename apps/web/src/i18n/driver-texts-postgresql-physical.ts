/** Chinese words of physical backups of PostgreSQL; those of the connection are the ones of its dumps. */
import { postgresqlTextsZhCn } from './driver-texts-postgresql.ts';

const CONNECTION = /^driver\.postgresql\.(db|tls|systemUser|maintenanceDatabase|toolFolder)/;

const shared = Object.entries(postgresqlTextsZhCn)
  .filter(([key]) => CONNECTION.test(key))
  .map(([key, text]) => [key.replace('driver.postgresql.', 'driver.postgresql-physical.'), text]);

export const postgresqlPhysicalTextsZhCn: Readonly<Record<string, string>> = {
  ...Object.fromEntries(shared),
  'driver.postgresql-physical.title': 'PostgreSQL 整个服务器（物理备份）',
  'driver.postgresql-physical.checkpoint': '检查点',
  'driver.postgresql-physical.checkpoint.help':
    '立即（fast）马上开始；平缓（spread）等待对服务器负担较小的检查点，可能需要几分钟。',
  'driver.postgresql-physical.checkpoint.fast': '立即（fast）',
  'driver.postgresql-physical.checkpoint.spread': '平缓（spread）',
  'driver.postgresql-physical.maxRateKilobytes': '每秒最多 KiB 数',
  'driver.postgresql-physical.maxRateKilobytes.help': '0：不限速。',
  'driver.postgresql-physical.dataFolder': '数据目录',
  'driver.postgresql-physical.dataFolder.help': '会自动创建，否则必须为空。其中不能有正在运行的服务器。',
  'driver.postgresql-physical.replaceExisting': '替换已存在的内容',
  'driver.postgresql-physical.replaceExisting.help':
    '替换非空的数据目录。恢复完整之前原有内容保持不变，因此需要能同时放下两者的空间。',
  'driver.postgresql-physical.keepReplaced': '保留被替换的内容',
  'driver.postgresql-physical.keepReplaced.help':
    '移到“<目录>.replaced-<时间>”，直到您将其删除；表空间也一样。如果该目录是独立的文件系统则无法保留，将被删除。',
  'driver.postgresql-physical.owner': '文件所有者',
  'driver.postgresql-physical.owner.help':
    '运行服务器的系统用户。留空：postgres；BackupX 不以 root 运行时为其自身用户。',
  'driver.postgresql-physical.recoveryTarget': '恢复到',
  'driver.postgresql-physical.recoveryTarget.help':
    '备份结束时无需归档。除“备份结束时”和“达到一致后立即停止”外，都需要备份之后的 WAL 归档。',
  'driver.postgresql-physical.recoveryTarget.none': '备份结束时（none）',
  'driver.postgresql-physical.recoveryTarget.latest': '归档的最新状态（latest）',
  'driver.postgresql-physical.recoveryTarget.time': '某个时刻（time）',
  'driver.postgresql-physical.recoveryTarget.lsn': 'WAL 中的某个位置（lsn）',
  'driver.postgresql-physical.recoveryTarget.name': '命名的恢复点（name）',
  'driver.postgresql-physical.recoveryTarget.immediate': '达到一致后立即停止（immediate）',
  'driver.postgresql-physical.targetTime': '时刻',
  'driver.postgresql-physical.targetTime.help': '带时区；不带时区则按 UTC。',
  'driver.postgresql-physical.targetLsn': 'WAL 中的位置（LSN）',
  'driver.postgresql-physical.targetName': '恢复点名称',
  'driver.postgresql-physical.targetName.help': '即传给 pg_create_restore_point 的名称。',
  'driver.postgresql-physical.targetAction': '到达之后',
  'driver.postgresql-physical.targetAction.help': '暂停（pause）：先查看数据，再用 pg_wal_replay_resume() 继续。',
  'driver.postgresql-physical.targetAction.pause': '暂停（pause）',
  'driver.postgresql-physical.targetAction.promote': '开始接受写入（promote）',
  'driver.postgresql-physical.targetAction.shutdown': '停止服务器（shutdown）',
  'driver.postgresql-physical.walConfig': 'WAL 归档的参数文件',
  'driver.postgresql-physical.walConfig.help': '与 backupx wal push 使用的相同。文件所有者必须能够读取它。',
  'driver.postgresql-physical.restoreCommand': '其他恢复命令',
  'driver.postgresql-physical.restoreCommand.help': '用于由其他程序归档的 WAL；%f 是文件名，%p 是存放位置。',
  'driver.postgresql-physical.targetTimeline': '时间线',
  'driver.postgresql-physical.targetTimeline.help': 'latest、current（备份所在的时间线）或一个数字。',
  'driver.postgresql-physical.tablespaces': '表空间的其他位置',
  'driver.postgresql-physical.tablespaces.help': '每行一个 /旧路径=/新路径；其余的恢复到原来的位置。',
  'driver.postgresql-physical.keepArchiving': '继续归档 WAL',
  'driver.postgresql-physical.keepArchiving.help': '关闭：archive_mode 会被关闭，使副本绝不会写入原服务器的归档。',
  'driver.postgresql-physical.programFolder': '程序所在目录',
  'driver.postgresql-physical.programFolder.help': 'pg_verifybackup 不在常用位置时填写。',
};
