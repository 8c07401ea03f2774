/**
 * Settings of the agent: flags over file over environment, read once, all problems reported together.
 *
 * Names and notation are those of agents in the field (`docs/config.md`): YAML keys in camelCase, environment
 * variables `BACKUPX_AGENT_…`, durations such as `15s`. The one place of this package that reads `process.env`.
 */
import { readFileSync } from 'node:fs';
import { AppError } from '@backupx/contracts/errors';
import { nearestName } from '@backupx/contracts/nearest-name';
import { parseDurationMs, parseDurationOrZero } from '@backupx/contracts/parse-units';
import { parse as parseYaml } from 'yaml';
import { defaultStateDir } from './state-folder.ts';

/** What the command line passes on; every value as typed. */
export interface AgentFlags {
  readonly master?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly config?: string;
  readonly tempDir?: string;
  readonly stateDir?: string;
  readonly proxyUrl?: string;
  readonly caCert?: string;
  readonly insecureTls?: boolean;
  readonly maxConcurrent?: string;
  readonly storagePatience?: string;
  readonly threads?: string;
  readonly nice?: string;
}

export interface AgentConfig {
  /** Base address of the master, no trailing slash. */
  readonly masterUrl: string;
  readonly token: string;
  readonly heartbeatMs: number;
  readonly pollMs: number;
  readonly tempDir: string;
  readonly stateDir: string;
  readonly proxyUrl: string | null;
  /** PEM text. */
  readonly caCertificate: string | null;
  readonly insecureTls: boolean;
  /** Backups and restores at the same time. */
  readonly maxConcurrent: number;
  /** How long a run waits for a storage that does not answer; 0: only for its few first tries. */
  readonly storagePatienceMs: number;
  /** That compress and encrypt for one run; 0: one per core. */
  readonly threads: number;
  /** How far runs let other programs go first, 0 to 19. */
  readonly nice: number;
  /** Things the operator should know but that do not stop the agent. */
  readonly warnings: readonly string[];
}

/** YAML key -> environment variable; flags are mapped in `fromFlags`. */
const settingNames = {
  master: 'BACKUPX_AGENT_MASTER',
  token: 'BACKUPX_AGENT_TOKEN',
  tokenFile: 'BACKUPX_AGENT_TOKEN_FILE',
  heartbeatInterval: 'BACKUPX_AGENT_HEARTBEAT',
  pollInterval: 'BACKUPX_AGENT_POLL',
  tempDir: 'BACKUPX_AGENT_TEMP_DIR',
  stateDir: 'BACKUPX_AGENT_STATE_DIR',
  proxyUrl: 'BACKUPX_AGENT_PROXY_URL',
  caCertFile: 'BACKUPX_AGENT_CA_CERT_FILE',
  insecureSkipTlsVerify: 'BACKUPX_AGENT_INSECURE_TLS',
  maxConcurrent: 'BACKUPX_AGENT_MAX_CONCURRENT',
  storagePatience: 'BACKUPX_AGENT_STORAGE_PATIENCE',
  threads: 'BACKUPX_AGENT_THREADS',
  nice: 'BACKUPX_AGENT_NICE',
} as const;
type SettingName = keyof typeof settingNames;
type Layer = Partial<Record<SettingName, string>>;
type Environment = Readonly<Record<string, string | undefined>>;

/** Reads and checks all settings. Throws `CONFIG_INVALID` naming every problem at once. */
export function loadAgentConfig(flags: AgentFlags, environment: Environment = process.env): AgentConfig {
  const problems: string[] = [];
  const fileLayer = flags.config ? readYamlLayer(flags.config, problems) : {};
  const layers = [fromFlags(flags), fileLayer, fromEnvironment(environment)];
  const settings = mergeLayers(layers);
  const config: AgentConfig = {
    masterUrl: checkMaster(settings.master, problems),
    token: resolveToken(layers, problems),
    heartbeatMs: checkDuration('heartbeatInterval', settings.heartbeatInterval ?? '15s', problems),
    pollMs: checkDuration('pollInterval', settings.pollInterval ?? '5s', problems),
    stateDir: settings.stateDir ?? defaultStateDir(environment),
    tempDir: settings.tempDir ?? `${settings.stateDir ?? defaultStateDir(environment)}/tmp`,
    proxyUrl: checkProxy(settings.proxyUrl, problems),
    caCertificate: readCertificate(settings.caCertFile, problems),
    insecureTls: checkBoolean('insecureSkipTlsVerify', settings.insecureSkipTlsVerify, problems),
    maxConcurrent: checkCount('maxConcurrent', settings.maxConcurrent ?? '1', { min: 1, max: 64, problems }),
    storagePatienceMs: checkPatience(settings.storagePatience ?? '15m', problems),
    threads: checkCount('threads', settings.threads ?? '0', { min: 0, max: 256, problems }),
    nice: checkCount('nice', settings.nice ?? '0', { min: 0, max: 19, problems }),
    warnings: collectWarnings(flags, settings),
  };
  if (problems.length > 0) throw new AppError('CONFIG_INVALID', { problems: problems.join('; ') });
  return Object.freeze(config);
}

function fromFlags(flags: AgentFlags): Layer {
  return {
    master: flags.master,
    token: flags.token,
    tokenFile: flags.tokenFile,
    tempDir: flags.tempDir,
    stateDir: flags.stateDir,
    proxyUrl: flags.proxyUrl,
    caCertFile: flags.caCert,
    insecureSkipTlsVerify: flags.insecureTls ? 'true' : undefined,
    maxConcurrent: flags.maxConcurrent,
    storagePatience: flags.storagePatience,
    threads: flags.threads,
    nice: flags.nice,
  };
}

function fromEnvironment(environment: Environment): Layer {
  const layer: Layer = {};
  for (const [name, variable] of Object.entries(settingNames)) layer[name as SettingName] = environment[variable];
  return layer;
}

function readYamlLayer(path: string, problems: string[]): Layer {
  let document: unknown;
  try {
    document = parseYaml(readFileSync(path, 'utf8'));
  } catch (error) {
    problems.push(`${path}: ${(error as Error).message.split('\n')[0]}`);
    return {};
  }
  if (document === null || document === undefined) return {};
  if (typeof document !== 'object' || Array.isArray(document)) {
    problems.push(`${path}: expected "key: value" lines`);
    return {};
  }
  const known = Object.keys(settingNames);
  const layer: Layer = {};
  for (const [key, value] of Object.entries(document)) {
    if (!known.includes(key)) {
      problems.push(`${path}: unknown key "${key}", did you mean "${nearestName(key, known)}"?`);
    } else if (value !== null && typeof value === 'object') {
      problems.push(`${path}: "${key}" takes one value`);
    } else if (value !== null) {
      layer[key as SettingName] = String(value);
    }
  }
  return layer;
}

/** First layer that says something wins; blank text counts as nothing. */
function mergeLayers(layers: readonly Layer[]): Layer {
  const merged: Layer = {};
  for (const name of Object.keys(settingNames) as SettingName[]) {
    merged[name] = layers.map((layer) => layer[name]?.trim()).find((value) => value !== undefined && value !== '');
  }
  return merged;
}

/** Per layer the token wins over its file, so that `--token-file` beats a token that only the YAML holds. */
function resolveToken(layers: readonly Layer[], problems: string[]): string {
  for (const layer of layers) {
    const token = layer.token?.trim();
    if (token) return token;
    const path = layer.tokenFile?.trim();
    if (!path) continue;
    try {
      const text = readFileSync(path, 'utf8').trim();
      if (text === '') problems.push(`token file ${path} is empty`);
      return text;
    } catch (error) {
      problems.push(`token file ${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
      return '';
    }
  }
  problems.push('token is missing (--token-file, tokenFile, BACKUPX_AGENT_TOKEN_FILE or BACKUPX_AGENT_TOKEN)');
  return '';
}

function checkMaster(value: string | undefined, problems: string[]): string {
  if (!value) {
    problems.push('master is missing (--master, master or BACKUPX_AGENT_MASTER)');
    return '';
  }
  const url = URL.canParse(value) ? new URL(value) : null;
  const isPlain = url !== null && !url.username && !url.password && !url.search && !url.hash;
  if (!isPlain || !['http:', 'https:'].includes(url.protocol)) {
    problems.push('master must be an absolute http(s) address without credentials, query or fragment');
  }
  return value.replace(/\/+$/, '');
}

function checkProxy(value: string | undefined, problems: string[]): string | null {
  if (!value) return null;
  const protocols = ['http:', 'https:', 'socks5:', 'socks5h:'];
  if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
    problems.push('proxyUrl must be an http, https, socks5 or socks5h address');
  }
  return value;
}

function readCertificate(path: string | undefined, problems: string[]): string | null {
  if (!path) return null;
  try {
    const text = readFileSync(path, 'utf8');
    if (!text.includes('-----BEGIN CERTIFICATE-----')) problems.push(`${path} holds no PEM certificate`);
    return text;
  } catch (error) {
    problems.push(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
    return null;
  }
}

function checkDuration(name: string, value: string, problems: string[]): number {
  const durationMs = parseDurationMs(value);
  if (durationMs === null || durationMs < 100) {
    problems.push(`${name} must be a duration such as 15s or 5m, not "${value}"`);
    return 0;
  }
  return durationMs;
}

function checkPatience(value: string, problems: string[]): number {
  const patienceMs = parseDurationOrZero(value);
  if (patienceMs === null) problems.push(`storagePatience must be a duration such as 15m, or 0, not "${value}"`);
  return patienceMs ?? 0;
}

function checkBoolean(name: string, value: string | undefined, problems: string[]): boolean {
  if (value === undefined) return false;
  if (['true', '1'].includes(value.toLowerCase())) return true;
  if (!['false', '0'].includes(value.toLowerCase())) problems.push(`${name} must be true or false, not "${value}"`);
  return false;
}

function checkCount(
  name: string,
  value: string,
  { min, max, problems }: { min: number; max: number; problems: string[] },
): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= min && count <= max) return count;
  problems.push(`${name} must be a whole number from ${min} to ${max}, not "${value}"`);
  return min;
}

function collectWarnings(flags: AgentFlags, settings: Layer): string[] {
  const warnings: string[] = [];
  if (flags.token) warnings.push('--token is visible in the process list; use --token-file instead');
  if (['true', '1'].includes(settings.insecureSkipTlsVerify?.toLowerCase() ?? '')) {
    warnings.push('TLS certificates are not checked: anybody on the way can read the token');
  }
  return warnings;
}
