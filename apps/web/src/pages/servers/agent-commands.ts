/** The ways to start an agent with its token, as text to copy. One place, so that docs and console can be compared. */

export interface AgentInstall {
  /** Address of this master, without trailing slash. */
  readonly master: string;
  readonly token: string;
}

/** Asks from the new server whether this master can be reached from there. */
export function reachCommand(master: string): string {
  return `curl -I ${master}/health`;
}

const TOKEN_FILE = '/etc/backupx/agent.token';

/** Writes the token to a file only root can read, then starts the agent with it. */
export function commandInstall({ master, token }: AgentInstall): string {
  return [
    `sudo install -d -m 0700 /etc/backupx && \\`,
    `printf %s '${token}' | sudo install -m 0600 /dev/stdin ${TOKEN_FILE} && \\`,
    `sudo npx backupx agent --master ${master} --token-file ${TOKEN_FILE}`,
  ].join('\n');
}

export function yamlInstall({ master, token }: AgentInstall): string {
  return [
    `# /etc/backupx/agent.yaml`,
    `master: ${master}`,
    `token: ${token}`,
    `heartbeatInterval: 15s`,
    `pollInterval: 5s`,
    ``,
    `# sudo npx backupx agent --config /etc/backupx/agent.yaml`,
  ].join('\n');
}

export function environmentInstall({ master, token }: AgentInstall): string {
  return [`export BACKUPX_AGENT_MASTER=${master}`, `export BACKUPX_AGENT_TOKEN=${token}`, `npx backupx agent`].join(
    '\n',
  );
}

export function systemdInstall({ master, token }: AgentInstall): string {
  return [
    `# ${TOKEN_FILE} (mode 0600) holds:`,
    `# ${token}`,
    ``,
    `# /etc/systemd/system/backupx-agent.service`,
    `[Unit]`,
    `Description=BackupX agent`,
    `Wants=network-online.target`,
    `After=network-online.target`,
    ``,
    `[Service]`,
    `ExecStart=/usr/bin/npx backupx agent --master ${master} --token-file ${TOKEN_FILE}`,
    `Restart=always`,
    `RestartSec=5`,
    `TimeoutStopSec=40`,
    ``,
    `[Install]`,
    `WantedBy=multi-user.target`,
    ``,
    `# sudo systemctl enable --now backupx-agent`,
  ].join('\n');
}
