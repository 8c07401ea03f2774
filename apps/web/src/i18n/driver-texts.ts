/**
 * Words of drivers: fields are declared in English by each driver's manifest, so only other languages need texts here.
 * Keys are `driver.<type>.<field>`, with `.help` or an option's name after it. Loaded with the first driver form.
 */
import { mongodbTextsZhCn } from './driver-texts-mongodb.ts';
import { mysqlTextsZhCn } from './driver-texts-mysql.ts';
import { mysqlPhysicalTextsZhCn } from './driver-texts-mysql-physical.ts';
import { postgresqlTextsZhCn } from './driver-texts-postgresql.ts';
import { postgresqlPhysicalTextsZhCn } from './driver-texts-postgresql-physical.ts';
import { redisTextsZhCn } from './driver-texts-redis.ts';
import { saphanaTextsZhCn } from './driver-texts-saphana.ts';
import { sqliteTextsZhCn } from './driver-texts-sqlite.ts';
import { currentLocale, hasMessage, t } from './i18n.ts';

/** Chinese; a test demands every field of every driver. */
export const driverTextsZhCn: Readonly<Record<string, string>> = {
  ...mongodbTextsZhCn,
  ...mysqlTextsZhCn,
  ...mysqlPhysicalTextsZhCn,
  ...postgresqlTextsZhCn,
  ...postgresqlPhysicalTextsZhCn,
  'driver.file.title': '文件和文件夹',
  'driver.file.paths': '文件夹和文件',
  'driver.file.excludePatterns': '排除',
  'driver.file.excludePatterns.help': '与 .gitignore 相同的规则，相对于每个路径。',
  'driver.file.oneFileSystem': '不跨越文件系统',
  'driver.file.oneFileSystem.help': '挂载了其他文件系统的文件夹只保存为空文件夹。',
  'driver.local_disk.title': '本地磁盘',
  'driver.local_disk.basePath': '文件夹',
  'driver.local_disk.basePath.help': '写入备份的机器上的绝对路径；上级文件夹存在时会自动创建。',
  'driver.local_disk.masterRelay': '远程服务器经由主控端存放到这里',
  'driver.local_disk.masterRelay.help':
    '关闭：在每台服务器自己的磁盘上查找该文件夹。开启：代理把备份发送给主控端，由主控端写入这里。',
  'driver.s3.title': 'S3 兼容存储',
  'driver.s3.endpoint': '服务地址（Endpoint）',
  'driver.s3.region': '区域（Region）',
  'driver.s3.bucket': '存储桶（Bucket）',
  'driver.s3.bucket.help': '必须已经存在。',
  'driver.s3.prefix': '前缀',
  'driver.s3.prefix.help': '存储桶内的文件夹；留空则使用整个存储桶。',
  'driver.s3.accessKeyId': '访问密钥 ID（Access key）',
  'driver.s3.secretAccessKey': '私有访问密钥（Secret key）',
  'driver.s3.sessionToken': '会话令牌',
  'driver.s3.forcePathStyle': '路径样式',
  'driver.s3.forcePathStyle.help': '把存储桶名放在路径中而不是主机名中；多数自建服务需要开启。',
  'driver.s3.caCertificate': 'CA 证书',
  'driver.s3.caCertificate.help': '私有 CA 的 PEM 文本。',
  'driver.s3.insecureTls': '不校验 TLS 证书',
  'driver.s3.insecureTls.help': '传输途中的任何人都可能读取和篡改数据。',
  ...redisTextsZhCn,
  ...saphanaTextsZhCn,
  ...sqliteTextsZhCn,
};

/** The translation of a driver's own word, or the English one it brought. */
export function driverText(key: string, fallback: string): string {
  if (currentLocale() === 'zh-CN') return driverTextsZhCn[key] ?? fallback;
  return hasMessage(key) ? t(key as 'nav.overview') : fallback;
}
