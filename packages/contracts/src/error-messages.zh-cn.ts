/** The error catalogue in Chinese, for answers and stored messages; the type demands every code. Placeholders are those of the English text. */
import type { ErrorCode } from './errors.ts';

interface Translation {
  readonly message: string;
  readonly hint: string;
}

const say = (message: string, hint: string): Translation => ({ message, hint });

const ACCEPT_VERSION =
  '尚未触碰任何内容。如要继续，请接受其他版本：在控制台勾选、在命令行添加 --set acceptOtherVersion=true，或发送 options.acceptOtherVersion。';

export const errorMessagesZhCn: Readonly<Record<ErrorCode, Translation>> = {
  INVALID_INPUT: say('请求内容无效。', '请更正响应中指出的字段后重试。'),
  MALFORMED_JSON: say('请求体不是有效的 JSON。', '请发送 JSON 请求体，并设置 Content-Type: application/json。'),
  BODY_TOO_LARGE: say('请求体超出允许的大小。', '请减少单次发送的内容；备份文件请走上传接口。'),
  ROUTE_NOT_FOUND: say('该地址不存在。', '请检查路径；接口列表见 /api/openapi.json。'),
  RATE_LIMITED: say('尝试次数过多。', '请等待 {retryAfterSeconds} 秒后重试。'),
  INTERNAL: say('BackupX 内部发生错误。', '请在服务器日志中查找请求 {requestId}。'),
  CONFLICT: say('内容已被其他人修改。', '请刷新后重试。'),
  CANCELLED: say('任务已取消。', '需要时请重新启动。'),
  TIMEOUT: say('{what} 未在 {seconds} 秒内完成。', '请检查其是否可达，然后重试。'),
  SHUTTING_DOWN: say('服务器正在停止。', '请稍后重试。'),
  CONFIG_INVALID: say('配置无效：{problems}', '请更正上述设置后重新启动。'),
  ALREADY_RUNNING: say('另一个 BackupX 服务器已在使用此数据目录：{path}', '请停止另一个服务器，或选择其他数据目录。'),
  NOT_SUPPORTED: say('此处不支持 {what}。', '{hint}'),

  AUTH_REQUIRED: say('您尚未登录。', '请登录，或发送有效的 Bearer 令牌。'),
  AUTH_INVALID_CREDENTIALS: say('用户名或密码错误。', '请检查两者；多次失败后请等待一分钟。'),
  AUTH_FORBIDDEN: say('您的角色无权执行此操作；需要 {role}。', '请联系管理员。'),
  AUTH_CSRF: say('无法确认请求来自控制台。', '请刷新页面后重试。'),
  AUTH_SETUP_DONE: say('此安装已有管理员。', '请登录，或在服务器上运行 “backupx reset-password”。'),
  AUTH_SETUP_REQUIRED: say('此安装尚无管理员。', '请打开控制台完成初始化。'),
  USER_NOT_FOUND: say('用户不存在。', '请刷新用户列表。'),
  USER_NAME_TAKEN: say('名为 {username} 的用户已存在。', '请换一个名称。'),
  USER_LAST_ADMIN: say('这是最后一个可登录的管理员。', '请先将其他用户设为管理员。'),
  API_KEY_NOT_FOUND: say('API 密钥不存在。', '请刷新 API 密钥列表。'),

  STORAGE_TARGET_NOT_FOUND: say('存储目标不存在。', '请刷新存储目标列表。'),
  STORAGE_TARGET_IN_USE: say(
    '存储目标 {name} 正被 {count} 个任务或记录使用。',
    '请先更改这些任务的存储目标，并删除相关记录。',
  ),
  STORAGE_TARGET_NAME_TAKEN: say('名为 {name} 的存储目标已存在。', '请换一个名称。'),
  STORAGE_TYPE_UNKNOWN: say('没有 {type} 类型的存储。', '可用类型：{known}。'),
  STORAGE_NOT_FOUND: say('存储中没有对象 {key}。', '它可能已在 BackupX 之外被删除；请校验该记录。'),
  STORAGE_PERMISSION: say('存储拒绝访问：{reason}', '请检查凭据以及对路径或存储桶的权限。'),
  STORAGE_UNREACHABLE: say('无法连接存储：{reason}', '请检查地址、网络和 TLS 设置。'),
  STORAGE_FULL: say('存储空间已满：{reason}', '请释放空间或缩短保留期，然后重新运行。'),
  STORAGE_INVALID_KEY: say('不允许使用对象名 {key}。', '请使用不含 “.” 或 “..” 的相对名称。'),
  STORAGE_CONFIG: say('存储设置不可用：{reason}', '请更正设置后重新测试。'),
  STORAGE_TEST_FAILED: say('存储测试在 “{step}” 步骤失败：{reason}', '请更正设置后重新测试。'),
  STORAGE_FAILED: say('存储报告错误：{reason}', '请重试；若仍然出错，请检查存储本身。'),

  BACKUP_TASK_NOT_FOUND: say('任务不存在。', '请刷新任务列表。'),
  BACKUP_TASK_NAME_TAKEN: say('名为 {name} 的任务已存在。', '请换一个名称。'),
  BACKUP_TASK_RUNNING: say('任务 {name} 正在运行（记录 {recordId}）。', '请等待其结束，或取消它。'),
  BACKUP_TASK_DISABLED: say('任务 {name} 已停用。', '请先启用它。'),
  BACKUP_TASK_FORBIDDEN: say('该任务不属于此节点。', '请检查令牌属于哪个节点。'),
  SOURCE_TYPE_UNKNOWN: say('没有 {type} 类型的数据源。', '可用类型：{known}。'),
  SOURCE_NOT_FOUND: say('{node} 上不存在路径 {path}。', '请检查路径；该路径在那台机器上读取。'),
  SOURCE_NOT_READABLE: say('{path} 下没有可读取的内容：{reason}', '请以有读取权限的用户运行 BackupX，或选择其他路径。'),
  SOURCE_FAILED: say('读取数据源失败：{reason}', '请查看该记录的日志。'),

  BACKUP_RECORD_NOT_FOUND: say('记录不存在。', '请刷新列表；它可能已按保留策略被清理。'),
  BACKUP_RECORD_FORBIDDEN: say('该记录不属于此节点。', '请检查令牌属于哪个节点。'),
  BACKUP_RECORD_LOCKED: say('该记录已锁定。', '请先解锁。'),
  BACKUP_RECORD_ACTIVE: say('该记录仍在运行。', '请取消它，或等待其结束。'),
  BACKUP_RECORD_NOT_ACTIVE: say('该记录已结束。', '没有可取消的内容。'),
  BACKUP_RECORD_NO_ARTIFACT: say('该记录没有已保存的备份文件。', '请选择状态为成功或警告的记录。'),
  RESTORE_RECORD_NOT_FOUND: say('恢复记录不存在。', '请刷新恢复列表。'),
  RESTORE_RECORD_FORBIDDEN: say('该恢复不属于此节点。', '请检查令牌属于哪个节点。'),
  RESTORE_NOTHING_WRITTEN: say('恢复没有写入任何内容：{reason}', '请检查所选路径和覆盖方式。'),
  RESTORE_TARGET_INVALID: say('无法恢复到 {path}：{reason}', '请选择 BackupX 可写入的绝对路径文件夹。'),

  ARTIFACT_DAMAGED: say('备份文件已损坏：{reason}', '请从其他记录或其他副本恢复；未覆盖任何内容。'),
  ARTIFACT_KEY_MISSING: say('备份文件使用此安装没有的密钥加密。', '请使用写入该文件的安装的恢复套件。'),
  ARTIFACT_KEY_WRONG: say('密钥无法打开此备份文件。', '请使用写入该文件的安装的恢复套件。'),
  ARTIFACT_FORMAT: say('备份文件格式未知：{reason}', '请检查该对象是否属于此记录。'),

  REPOSITORY_NOT_FOUND: say('{where} 处没有仓库。', '请检查地址；使用 “backupx repo init” 可新建仓库。'),
  REPOSITORY_EXISTS: say('{where} 处已有仓库。', '请接管它，或为新仓库选择其他目录。'),
  REPOSITORY_UNSUPPORTED: say('无法使用该仓库：{reason}', '它可能由更新的程序创建，或其配置已损坏。'),
  REPOSITORY_WRONG_PASSWORD: say('该密码无法打开仓库的任何密钥。', '请检查密码；仓库的恢复套件中有密码。'),
  REPOSITORY_LOCKED: say(
    '仓库已被锁定：{holder}。',
    '请等待该工作结束；若确认其已中止，请运行 “backupx repo unlock”。',
  ),
  REPOSITORY_LOCK_LOST: say('无法保持仓库的锁：{reason}', '请重新运行；已存储的数据会被再次使用。'),
  REPOSITORY_DAMAGED: say('仓库已损坏：{reason}', '请运行 “backupx repo check”；它会指出损坏之处以及仍可恢复的内容。'),
  REPOSITORY_APPEND_ONLY: say('此访问只能追加，不能删除。', '删除由主控端负责。'),
  REPOSITORY_FORBIDDEN: say('此访问不属于该仓库。', '请检查地址和令牌。'),
  REPOSITORY_IN_USE: say(
    '仓库 {name} 仍被 {count} 个任务或记录使用。',
    '请先更改这些任务的模式或仓库，并删除相关记录。',
  ),
  REPOSITORY_BUSY: say('{name} 正在维护中（记录 {recordId}）。', '请等待其结束，或先取消。'),
  MAINTENANCE_RECORD_NOT_FOUND: say('维护记录不存在。', '请刷新列表；它可能已过期。'),
  VERIFY_RECORD_NOT_FOUND: say('验证记录不存在。', '请刷新列表；它可能已过期。'),
  VERIFY_RECORD_FORBIDDEN: say('该验证不属于此节点。', '请检查令牌属于哪个节点。'),
  VERIFY_RUNNING: say('该记录正在验证中（验证 {id}）。', '请等待其结束，或先取消。'),
  MAINTENANCE_RECORD_FORBIDDEN: say('该维护不属于此节点。', '请检查令牌属于哪个节点。'),
  SNAPSHOT_NOT_FOUND: say('仓库中没有快照 {id}。', '请列出快照；它可能已被清除。'),
  SNAPSHOT_AMBIGUOUS: say('有多个快照以 {id} 开头。', '请输入更多字符。'),
  SNAPSHOT_ENDLESS: say(
    '快照中的文件夹一再重复地互相包含；已在 {path} 处停止。',
    '没有备份程序会写出这样的快照。请指定其中所需的文件夹。',
  ),

  NODE_NOT_FOUND: say('节点不存在。', '请刷新服务器列表。'),
  NODE_NAME_TAKEN: say('名为 {name} 的节点已存在。', '请换一个名称。'),
  NODE_OFFLINE: say('{node} 已离线。', '请在 {node} 上启动代理。'),
  NODE_HAS_TASKS: say('{node} 仍被 {count} 个任务使用。', '请先移动或删除这些任务。'),
  NODE_HAS_REPOSITORIES: say(
    '{node} 的磁盘上有 {count} 个仓库，只有该节点能访问。',
    '请先将仍需要的内容复制到其他存储目标，再从列表中移除这些仓库。',
  ),
  NODE_DELETE_LOCAL: say('不能删除本地节点。', '它就是运行主控的机器。'),
  NODE_INVALID_TOKEN: say('节点令牌缺失或无效。', '请在控制台重新添加服务器，并使用新的令牌。'),
  AGENT_COMMAND_NOT_FOUND: say('命令不存在。', '它结束后可能已被清理。'),
  AGENT_COMMAND_FORBIDDEN: say('该命令属于其他节点。', '请检查令牌属于哪个节点。'),
  AGENT_COMMAND_TIMEOUT: say('{node} 未在 {seconds} 秒内应答。', '请检查代理是否在运行，或旧版代理是否正忙。'),
  AGENT_FAILED: say('{node} 报告：{reason}', '请查看那台机器上的代理日志。'),
  MASTER_UNREACHABLE: say('无法连接主控 {url}：{reason}', '请检查地址、网络和 TLS 设置。'),
  MASTER_WRONG_CONTENT: say('{url} 的应答不像 BackupX 主控。', '中间可能有代理；请原样转发 /api/。'),

  PATH_NOT_FOUND: say('路径 {path} 不存在。', '请检查拼写；该路径在那台机器上查找。'),
  PATH_NOT_DIRECTORY: say('{path} 不是文件夹。', '请选择文件夹。'),
  PATH_PERMISSION: say('无权读取 {path}。', '请以有读取权限的用户运行 BackupX。'),
  PATH_INVALID: say('不允许使用路径 {path}：{reason}', '请使用绝对路径。'),

  DATABASE_AUTH: say('{server} 拒绝了用户 “{user}” 的登录：{reason}', '请检查用户名、密码以及该用户允许的登录来源。'),
  DATABASE_UNREACHABLE: say('无法连接 {server}：{reason}', '请检查地址、端口和防火墙；执行任务的节点必须能够访问它。'),
  DATABASE_TLS: say(
    '无法与 {server} 建立可信连接：{reason}',
    '请提供其证书颁发机构的证书、证书中的名称，或更换 TLS 模式。',
  ),
  DATABASE_NOT_FOUND: say('{server} 上没有 {name}。', '请检查名称；区分大小写。'),
  DATABASE_PERMISSION: say(
    '用户 “{user}” 在 {server} 上没有权限：{action}。',
    '请授予缺少的权限；连接测试会给出相应语句。',
  ),
  DATABASE_TOOL_MISSING: say('执行任务的机器上没有安装程序 {tool}。', '请在该机器上安装软件包 {package}。'),
  DATABASE_TOOL_MISMATCH: say(
    '{tool} {toolVersion} 与服务器 {serverVersion} 不匹配。',
    '请在执行任务的机器上安装软件包 {package}。',
  ),
  DATABASE_TOOL_FAILED: say('{tool} 失败：{reason}', '请查看本次运行的日志。'),
  DATABASE_SETTINGS: say('{server} 的设置不满足要求：{reason}。', '请更改服务器上的设置；连接测试会显示缺少什么。'),
  DATABASE_DUMP_INCOMPLETE: say('{name} 的转储不完整：{reason}', '未保留其任何内容。请查看本次运行的日志。'),
  DATABASE_DUMP_DAMAGED: say('{name} 的转储无法恢复：{reason}', '请从其他记录或副本恢复；没有任何内容被覆盖。'),
  DATABASE_EXISTS: say('{server} 上已存在 {name}。', '请换一个名称，或允许替换它。'),
  DATABASE_IN_USE: say('{name} 正在使用中：{sessions}。', '请结束这些会话，或允许恢复时结束它们。'),
  DATABASE_SERVER_OLDER: say(
    '{name} 备份自 {saved}，将恢复到更旧的 {target}：它不认识的内容会使恢复失败。',
    ACCEPT_VERSION,
  ),
  DATABASE_SERVER_NEWER: say(
    '{name} 备份自 {saved}，将恢复到更新的 {target}：程序可能会发现某些内容已有变化。',
    ACCEPT_VERSION,
  ),
  DATABASE_SERVER_OTHER: say(
    '{name} 备份自 {saved}，将恢复到 {target}：只有其中一方支持的内容可能恢复失败或丢失。',
    ACCEPT_VERSION,
  ),
  DATABASE_OPLOG: say(
    '无法使用 {server} 的操作日志：{reason}。',
    '请不使用操作日志、逐个数据库备份和恢复，或先解决所述问题。',
  ),
  SAFETY_BACKUP_IMPOSSIBLE: say('恢复前无法备份现有内容：{reason}', '请先解决此问题，或不备份现有内容直接恢复。'),
  SAFETY_BACKUP_FAILED: say(
    '现有内容的备份（记录 {recordId}）以 {status} 结束，因此恢复没有开始，未改动任何内容。',
    '请查看该记录的日志，然后重新恢复；若不需要现有内容，可不做此备份。',
  ),
  WAL_FILE_REFUSED: say(
    '{name} 未归档：{reason}',
    '没有存储任何内容。archive_command 必须传入 %p，且文件必须属于此服务器。',
  ),
  WAL_CONFLICT: say(
    '归档中已有名为 {name} 的另一个文件。',
    '没有覆盖任何内容。是否有其他服务器也归档到此处？请为每个集簇使用各自的前缀。',
  ),
  WAL_OTHER_CLUSTER: say(
    '该归档属于集簇 {expected}，而不是 {found}。',
    '请为此集簇使用单独的前缀。执行 initdb 或 pg_upgrade 之后即为新的集簇。',
  ),
  WAL_ARCHIVE_MISSING: say(
    '此存储的“{prefix}”下没有任何集簇的归档。',
    '请检查参数文件中的存储和前缀，并确认磁盘已挂载。',
  ),
  WAL_CLUSTER_UNKNOWN: say(
    '无法确定日志属于哪个集群：{reason}',
    '服务器用户必须能够读取数据目录中的 global/pg_control。',
  ),
  WAL_SEGMENT_MISSING: say(
    '归档中缺少 {name}，却有更晚的段（例如 {later}）。',
    '恢复无法越过它。请选择在它之前的目标，或从更晚的基础备份开始。',
  ),
  WAL_STILL_NEEDED: say(
    '最新的基础备份（{time}）需要从 {segment} 开始的内容。',
    '请选择该段或更早的段，或添加 --force。',
  ),
  WAL_GAP: say('接收程序会留下缺口：{reason}', '请加 --accept-gap 启动，然后做一次新的基础备份。'),
  BINLOG_GAP: say(
    '缺少二进制日志：{logs}。',
    '无法跨越缺口重放：请重新备份该服务器。接收程序加 --accept-gap 可从缺口之后继续。',
  ),
  BINLOG_CONFLICT: say(
    '归档中是另一台服务器的日志，或本服务器重新编号之前的日志：{reason}',
    '请为此服务器使用单独的前缀，并重新备份。',
  ),
  BINLOG_START_MISSING: say('归档中没有 {place}，只有 {has}。', '请选择其位置在归档中的备份，或从其他位置重放。'),
  BINLOG_END_EARLY: say(
    '归档到 {end} 为止，早于 {until}。',
    '之后发生的更改不在归档中。请选择更早的时间、等待接收程序，或加 --accept-end 重放现有的全部日志。',
  ),
  BINLOG_REWRITE_IMPOSSIBLE: say(
    '日志中有语句直接写明了 {databases}，无法以其他名称重放：{places}。',
    '尚未重放任何内容。请不加 --rewrite-db 重放到单独的服务器，再在那里改名。',
  ),
  BINLOG_DAMAGED: say('二进制日志 {name} 已损坏：{reason}', '其后的内容无法重放：请重新备份该服务器。'),
};
