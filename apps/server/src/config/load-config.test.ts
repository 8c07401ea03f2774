import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseBytesPerSecond, parseDurationMs } from '@backupx/contracts/parse-units';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from './load-config.ts';
import { loadSecretKey } from './load-secret-key.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'backupx-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));
const yaml = (text: string) => writeFileSync(join(cwd, 'config.yaml'), text);

describe('loadConfig', () => {
  it('has defaults for everything, frozen', () => {
    const config = loadConfig({ cwd, env: {} });
    expect(config).toMatchObject({
      dataDir: join(cwd, 'data'),
      server: { host: '0.0.0.0', port: 8340, externalUrl: '', trustedProxies: [] },
      database: { path: join(cwd, 'data', 'backupx.db') },
      security: { sessionTtlMs: 7 * 86_400_000, encryptionKeyFile: join(cwd, 'data', 'secret.key') },
      backup: { maxConcurrent: 2, bandwidthBytesPerSecond: 0 },
      log: { level: 'info', format: 'json' },
    });
    expect(Object.isFrozen(config) && Object.isFrozen(config.server.trustedProxies)).toBe(true);
  });

  it('lets environment win over file and flags over environment', () => {
    yaml(
      'server:\n  port: 1001\n  host: filehost\n  external_url: https://b.example/\nsecurity:\n  session_ttl: 12h\nbackup:\n',
    );
    const env = { BACKUPX_SERVER_PORT: '1002', BACKUPX_SERVER_TRUSTED_PROXIES: '10.0.0.1, 10.1.0.0/16', OTHER: 'x' };
    const config = loadConfig({ cwd, env, flags: { 'server.port': 1003, 'server.host': undefined } });
    expect(config.server).toEqual({
      port: 1003,
      host: 'filehost',
      externalUrl: 'https://b.example',
      trustedProxies: ['10.0.0.1', '10.1.0.0/16'],
    });
    expect(config.security.sessionTtlMs).toBe(12 * 3_600_000);
    expect(loadConfig({ cwd, env }).server.port).toBe(1002);
  });

  it('reports all problems together and names the nearest key', () => {
    yaml('server:\n  prot: 1\n  port: nine\nbackups:\n  retries: 1\nlog:\n  level: loud\n');
    const env = {
      BACKUPX_SECURITY_SESION_TTL: '1h',
      BACKUPX_AGENT_MASTER: 'x',
      BACKUPX_BACKUP_BANDWIDTH_LIMIT: 'fast',
    };
    let message = '';
    try {
      loadConfig({ cwd, env });
    } catch (error) {
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      message = (error as Error).message;
    }
    expect(message).toContain('unknown key server.prot, did you mean server.port?');
    expect(message).toContain('server.port:');
    expect(message).toContain('unknown key backups, did you mean backup?');
    expect(message).toContain('log.level:');
    expect(message).toContain('did you mean BACKUPX_SECURITY_SESSION_TTL?');
    expect(message).toContain('backup.bandwidth_limit: must be a rate');
    expect(message).not.toContain('AGENT');
  });

  it('reads secrets from files and never repeats them', () => {
    writeFileSync(join(cwd, 'key'), `${'ab'.repeat(32)}\n`);
    const config = loadConfig({ cwd, env: { BACKUPX_SECURITY_ENCRYPTION_KEY_FILE: join(cwd, 'key') } });
    expect(config.security.encryptionKeyFile).toBe(join(cwd, 'key'));
    const env = { BACKUPX_DATABASE_URL: 'postgres://u:hunter2@h/d' };
    expect(() => loadConfig({ cwd, env })).toThrowError(expect.not.stringContaining('hunter2') as never);
    expect(() => loadConfig({ cwd, env })).toThrow(/PostgreSQL/);
  });

  it('refuses a named file that is missing, broken YAML and lists', () => {
    expect(() => loadConfig({ cwd, env: {}, configPath: 'nowhere.yaml' })).toThrow(/nowhere\.yaml/);
    yaml('server: [\n');
    expect(() => loadConfig({ cwd, env: {} })).toThrow(/config\.yaml/);
    yaml('- a\n');
    expect(() => loadConfig({ cwd, env: {} })).toThrow(/mapping/);
    yaml('server: 5\n');
    expect(() => loadConfig({ cwd, env: {} })).toThrow(/server must be a mapping/);
  });
});

describe('loadSecretKey', () => {
  it('makes a key of mode 0600 once, and never a second one for a database that has secrets', () => {
    const keyFile = join(cwd, 'secret.key');
    expect(() => loadSecretKey({ key: '', keyFile, mayCreate: false })).toThrow(/missing/);
    const first = loadSecretKey({ key: '', keyFile, mayCreate: true });
    expect(first).toHaveLength(32);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(loadSecretKey({ key: '', keyFile, mayCreate: true })).toEqual(first);
    expect(loadSecretKey({ key: 'ab'.repeat(32), keyFile, mayCreate: true })).toEqual(
      Buffer.from('ab'.repeat(32), 'hex'),
    );
    expect(() => loadSecretKey({ key: 'short', keyFile, mayCreate: true })).toThrow(/32 bytes/);
    writeFileSync(keyFile, '');
    expect(() => loadSecretKey({ key: '', keyFile, mayCreate: true })).toThrow(/32 bytes/);
  });
});

describe('units', () => {
  it('reads durations and rates', () => {
    expect(['15s', '1h30m', '7d', '1.5h', '500ms'].map(parseDurationMs)).toEqual([
      15_000, 5_400_000, 604_800_000, 5_400_000, 500,
    ]);
    expect(['', '5', '0s', 'h', '1w', '-1s'].map(parseDurationMs)).toEqual(Array(6).fill(null));
    expect(['0', '500K', '10MB', '1 MiB/s', '2.5k'].map(parseBytesPerSecond)).toEqual([
      0, 500_000, 10_000_000, 1_048_576, 2500,
    ]);
    expect(['fast', '-1', '1T', ''].map(parseBytesPerSecond)).toEqual(Array(4).fill(null));
  });
});
