import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadAgentConfig } from './config.ts';

const dir = mkdtempSync(join(tmpdir(), 'backupx-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}
const environment = {
  BACKUPX_AGENT_MASTER: 'http://env:8340',
  BACKUPX_AGENT_TOKEN: 'env-token',
  BACKUPX_AGENT_POLL: '7s',
};

describe('loadAgentConfig', () => {
  test('flags win over the file, the file over the environment', () => {
    const config = file(
      'a.yaml',
      'master: http://file:8340/\ntoken: file-token\nheartbeatInterval: 1m30s\ntempDir: /file\n',
    );
    expect(loadAgentConfig({ config, tempDir: '/flag' }, environment)).toMatchObject({
      masterUrl: 'http://file:8340',
      token: 'file-token',
      heartbeatMs: 90_000,
      pollMs: 7000,
      tempDir: '/flag',
      maxConcurrent: 1,
      storagePatienceMs: 15 * 60_000,
      threads: 0,
      nice: 0,
      insecureTls: false,
    });
  });

  test('a token file named by a flag wins over a token in the file', () => {
    const config = file('b.yaml', 'token: file-token\n');
    const tokenFile = file('token', 'from-file\n');
    expect(loadAgentConfig({ config, tokenFile }, environment).token).toBe('from-file');
  });

  test('warns of a token that everybody on the machine can read', () => {
    expect(loadAgentConfig({ token: 'x' }, environment).warnings.join()).toContain('process list');
    expect(loadAgentConfig({}, environment).warnings).toEqual([]);
  });

  test('reports every problem at once and names the nearest key', () => {
    const config = file(
      'c.yaml',
      'mster: http://x\nheart_beat_interval: 5s\npollInterval: soon\nmaxConcurrent: 0\nstoragePatience: much\nnice: 20\n',
    );
    const caCert = file('ca.pem', 'not a certificate');
    let message = '';
    try {
      loadAgentConfig({ config, caCert, proxyUrl: 'ftp://x' }, {});
    } catch (error) {
      message = (error as Error).message;
    }
    for (const part of [
      'did you mean "master"?',
      'did you mean "heartbeatInterval"?',
      'pollInterval must be a duration',
      'maxConcurrent must be',
      'storagePatience must be a duration',
      'nice must be a whole number from 0 to 19',
      'master is missing',
      'token is missing',
      'no PEM certificate',
      'proxyUrl must be',
    ]) {
      expect(message).toContain(part);
    }
  });

  test.each(['ftp://x', 'http://user:pw@x', 'http://x/?a=1', 'nonsense'])('refuses the master %s', (master) => {
    expect(() => loadAgentConfig({ master }, environment)).toThrow(/absolute http/);
  });
});
