/** Runs the program as a process against a scripted master: streams, exit codes, and the launcher on an older Node. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const program = fileURLToPath(new URL('../bin/backupx.mjs', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'backupx-cli-'));
const tokenFile = join(dir, 'token');
writeFileSync(tokenFile, 'bax_secret\n');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Seen {
  readonly route: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}
interface Answer {
  readonly status?: number;
  readonly body: unknown;
  readonly location?: string;
}
let master: Server;
let url: string;
let seen: Seen[];
let answers: Record<string, Answer | ((count: number) => Answer)>;
const ok = (data: unknown): Answer => ({ body: { code: 'OK', message: 'success', data } });

beforeAll(async () => {
  master = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      const route = `${request.method} ${request.url}`;
      const count = seen.filter((one) => one.route === route).length;
      seen.push({ route, authorization: request.headers.authorization, body: text ? JSON.parse(text) : undefined });
      const found = answers[route] ?? { status: 404, body: { code: 'ROUTE_NOT_FOUND', message: route } };
      const { status = 200, body, location } = typeof found === 'function' ? found(count) : found;
      response.writeHead(status, location ? { location } : {});
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => master.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(master.address() as AddressInfo).port}`;
});
afterAll(() => {
  master.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  seen = [];
  answers = {};
});

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: string[], environment: Record<string, string | undefined> = {}): ChildProcess {
  const env = { ...process.env, BACKUPX_URL: url, BACKUPX_TOKEN_FILE: tokenFile, XDG_CONFIG_HOME: dir, ...environment };
  return spawn(process.execPath, [program, ...args], { env, cwd: dir, stdio: ['pipe', 'pipe', 'pipe'] });
}

async function run(args: string[], environment: Record<string, string | undefined> = {}, input = ''): Promise<Result> {
  const child = start(args, environment);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdin?.end(input);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr };
}

const record = {
  id: 812,
  taskName: 'web',
  taskType: 'file',
  status: 'success',
  progress: null,
  problems: [],
  problemCount: 0,
  errorMessage: '',
  errorCode: '',
  errorHint: '',
  itemCount: 3,
  sourceBytes: 2048,
  fileSize: 1024,
  durationSeconds: 4,
  nodeName: 'web-02',
  startedAt: '2026-01-01T00:00:00Z',
  storagePath: 'BackupX/a.tar',
};

describe('usage', () => {
  test('help leads with examples, unknown words are named with the nearest command', async () => {
    const help = await run(['--help']);
    expect(help).toMatchObject({ code: 0 });
    expect(help.stdout.startsWith('Examples:')).toBe(true);
    const typo = await run(['tasl', 'list']);
    expect(typo.code).toBe(2);
    expect(typo.stderr).toContain('Did you mean task?');
    expect((await run(['task', 'run'])).code).toBe(2);
    expect((await run(['restore', 'x', '--target', '/tmp'])).code).toBe(2);
  });

  test('the agent reports all problems of its settings at once, with exit code 2', async () => {
    const result = await run(['agent', '--proxy-url', 'ftp://x'], { HOME: dir });
    expect(result.code).toBe(2);
    for (const part of ['master is missing', 'token is missing', 'proxyUrl']) expect(result.stderr).toContain(part);
  });
});

describe('API commands', () => {
  test('a list is a table or JSON on stdout, with the token as bearer', async () => {
    const node = {
      id: 1,
      name: 'local',
      isLocal: true,
      status: 'online',
      hostname: 'h\u001b[31m',
      agentVersion: '',
      lastSeen: null,
      taskCount: 2,
      runningCount: 0,
    };
    answers['GET /api/nodes'] = ok([node]);
    const table = await run(['nodes', 'list']);
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/^ID +NAME.*\n1 +local \(master\) +online +h\?\[31m/);
    expect(seen[0]?.authorization).toBe('Bearer bax_secret');
    const json = await run(['node', 'list', '--json']);
    expect(JSON.parse(json.stdout)).toEqual([node]);
  });

  test('a reader that has seen enough is no failure', async () => {
    answers['GET /api/backup/records/812'] = ok({ ...record, logContent: 'a line\n'.repeat(200_000) });
    const child = start(['run', 'logs', '812']);
    let stderr = '';
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    child.stdout?.once('data', () => child.stdout?.destroy());
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test.each([
    ['AUTH_FORBIDDEN', 403, 5],
    ['BACKUP_RECORD_NOT_FOUND', 404, 6],
    ['CODE_OF_TOMORROW', 404, 6],
    ['CODE_OF_TOMORROW', 500, 1],
  ])('%s with status %i ends with exit code %i', async (code, status, exit) => {
    answers['GET /api/backup/records/9'] = {
      status,
      body: { code, message: 'the words of the master', hint: 'do this', requestId: 'r1' },
    };
    const result = await run(['run', 'show', '9']);
    expect(result).toMatchObject({ code: exit, stdout: '' });
    expect(result.stderr).toContain('the words of the master');
    expect(result.stderr).toContain('do this');
  });

  test('unreachable, a web page and a redirect are told apart and end with 7', async () => {
    const gone = await run(['task', 'list'], { BACKUPX_URL: 'http://127.0.0.1:1' });
    expect(gone).toMatchObject({ code: 7 });
    answers['GET /api/backup/records/9'] = { body: '<html>' };
    expect((await run(['run', 'show', '9'])).stderr).toContain('did not answer like a BackupX master');
    answers['GET /api/backup/records/9'] = { status: 302, location: 'https://other/', body: '' };
    const moved = await run(['run', 'show', '9']);
    expect(moved.stderr).toContain('redirects to https://other/');
    expect(moved.code).toBe(7);
  });

  test('login keeps the token with mode 0600 and it is sent to no other address', async () => {
    answers['POST /api/auth/login'] = ok({
      token: 'bxs_session',
      csrfToken: '',
      user: { username: 'admin', role: 'admin' },
    });
    const environment = { BACKUPX_TOKEN_FILE: undefined, BACKUPX_URL: undefined };
    const login = await run(['login', url], environment, 'the password\n');
    expect(login.code).toBe(0);
    expect(seen[0]?.body).toEqual({ username: 'admin', password: 'the password' });
    const path = join(dir, 'backupx', 'profile.json');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toContain('bxs_session');
    const other = await run(['task', 'list'], { ...environment, BACKUPX_URL: 'http://127.0.0.1:1' });
    expect(other.code).toBe(4);
  });

  test('--wait follows to the end; warnings end with 3, progress goes to stderr', async () => {
    answers['GET /api/backup/tasks/3'] = ok({ id: 3, name: 'web' });
    answers['POST /api/backup/tasks/3/run'] = ok({ ...record, status: 'running' });
    answers['GET /api/backup/records/812'] = (count) =>
      ok(
        count === 0
          ? { ...record, status: 'running' }
          : {
              ...record,
              status: 'warning',
              problemCount: 1,
              problems: [{ path: '/a', code: 'unreadable', message: 'permission denied' }],
            },
      );
    const result = await run(['task', 'run', '3', '--wait']);
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(result.stderr).toContain('/a: permission denied');
  });

  test('Ctrl-C leaves the run going and says how to come back', async () => {
    answers['GET /api/backup/tasks/3'] = ok({ id: 3, name: 'web' });
    answers['POST /api/backup/tasks/3/run'] = ok({ ...record, status: 'running' });
    answers['GET /api/backup/records/812'] = ok({ ...record, status: 'running' });
    const child = start(['task', 'run', '3', '--wait']);
    let stderr = '';
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    while (!seen.some((one) => one.route.includes('records'))) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(stderr).toContain('backupx run wait 812');
    expect(seen.some((one) => one.route.includes('cancel'))).toBe(false);
  });

  test('a restore says where to, and overwriting live files needs the name of the task', async () => {
    answers['GET /api/backup/records/812'] = ok(record);
    answers['POST /api/backup/records/812/restore'] = ok({ id: 5 });
    expect((await run(['restore', '812'])).code).toBe(2);
    const refused = await run(['restore', '812', '--original', '--overwrite', 'always']);
    expect(refused.code).toBe(13);
    expect(refused.stderr).toContain("--confirm 'web'");
    const given = await run(['restore', '812', '--target', 'back', '--path', '/a', '--path', '/b']);
    expect(given).toMatchObject({ code: 0, stdout: '5\n' });
    const body = { targetPath: join(dir, 'back'), paths: ['/a', '/b'], overwrite: 'never' };
    expect(seen.find((one) => one.route.endsWith('/restore'))?.body).toEqual(body);
  });

  test('a restore of databases says what it replaces and who is connected before it begins', async () => {
    const flag = (name: string) => ({ name, kind: 'boolean', label: name, required: false, secret: false });
    const restoreFields = [flag('replaceExisting'), flag('endSessions')];
    const driver = { kind: 'source', type: 'shopdb', title: 'Shop', fields: [], restoreFields, canInspectTarget: true };
    answers['GET /api/drivers'] = ok({ sources: [driver], storages: [] });
    answers['GET /api/backup/records/812'] = ok({ ...record, taskType: 'shopdb' });
    answers['POST /api/backup/records/812/restore'] = ok({ id: 5 });
    const session = { id: '77', user: 'till', address: '10.0.0.7', program: 'psql', since: '2026-01-02T03:04:05Z' };
    const shop = { name: 'shop', exists: true, sizeBytes: 2048, sessions: [session] };
    const crm = { name: 'crm', exists: false, sizeBytes: null, sessions: [] };
    answers['POST /api/backup/records/812/restore/preview'] = ok({ server: 'db-1:5432', databases: [shop, crm] });
    const started = () => seen.filter((one) => one.route.endsWith('/restore')).length;
    const command = ['restore', '812', '--original', '--set', 'replaceExisting=true', '--confirm', 'web'];
    const inUse = await run(command);
    expect([inUse.code, started()]).toEqual([11, 0]);
    expect(inUse.stderr).toContain('replaces shop (2.0 KiB) on db-1:5432');
    expect(inUse.stderr).toContain('  in use by till from 10.0.0.7 with psql (77) since 2026-01-02T03:04:05Z');
    expect(inUse.stderr).toContain('creates  crm on db-1:5432');
    expect(inUse.stderr).toContain('--set endSessions=true');
    const unconfirmed = await run([...command.slice(0, -2), '--set', 'endSessions=true']);
    expect([unconfirmed.code, started()]).toEqual([13, 0]);
    answers['POST /api/backup/records/812/restore'] = ok({ id: 5, safetyRecordId: 813 });
    const given = await run([...command, '--set', 'endSessions=true']);
    expect(given).toMatchObject({ code: 0, stdout: '5\n' });
    expect(given.stderr).toContain('as run 813');
    await run([...command, '--set', 'endSessions=true', '--no-safety-backup']);
    const bodies = seen.filter((one) => one.route.endsWith('/restore')).map((one) => one.body);
    expect(bodies).toMatchObject([{ options: { replaceExisting: true } }, { safetyBackup: false }]);
    expect(bodies[0]).not.toHaveProperty('safetyBackup');
    // An agent that cannot tell: whoever wants nothing saved may go on.
    const body = { code: 'NOT_SUPPORTED', message: 'Not by this agent.' };
    answers['POST /api/backup/records/812/restore/preview'] = { status: 400, body };
    expect((await run(command)).code).not.toBe(0);
    const without = await run([...command, '--no-safety-backup']);
    expect([without.code, without.stderr.includes('Not by this agent.')]).toEqual([0, true]);
  });

  test('a restore of databases into another version asks whether that is meant', async () => {
    const flag = (name: string) => ({ name, kind: 'boolean', label: name, required: false, secret: false });
    const restoreFields = [flag('replaceExisting'), flag('endSessions'), flag('acceptOtherVersion')];
    const driver = { kind: 'source', type: 'shopdb', title: 'Shop', fields: [], restoreFields, canInspectTarget: true };
    answers['GET /api/drivers'] = ok({ sources: [driver], storages: [] });
    answers['GET /api/backup/records/812'] = ok({ ...record, taskType: 'shopdb' });
    answers['POST /api/backup/records/812/restore'] = ok({ id: 5 });
    const shop = { name: 'shop', exists: true, sizeBytes: 2048, sessions: [] };
    const otherVersion = { saved: 'Shop 2.0', target: 'Shop 1.2', difference: 'older' };
    const found = { server: 'db-1:5432', databases: [shop], otherVersion };
    answers['POST /api/backup/records/812/restore/preview'] = ok(found);
    const command = ['restore', '812', '--original', '--set', 'replaceExisting=true', '--confirm', 'web'];
    const asked = await run(command);
    expect([asked.code, seen.filter((one) => one.route.endsWith('/restore'))]).toEqual([13, []]);
    expect(asked.stderr).toContain('The backup is of Shop 2.0 and would go to Shop 1.2, which is older');
    expect(asked.stderr).toContain('--set acceptOtherVersion=true');
    const accepted = await run([...command, '--set', 'acceptOtherVersion=true']);
    expect(accepted).toMatchObject({ code: 0, stdout: '5\n' });
    expect(seen.find((one) => one.route.endsWith('/restore'))?.body).toMatchObject({
      options: { replaceExisting: true, acceptOtherVersion: true },
    });
  });

  test('a restore that replaces nothing by itself says who is connected, and begins', async () => {
    const driver = { kind: 'source', type: 'apart', title: 'Apart', fields: [], canInspectTarget: true };
    answers['GET /api/drivers'] = ok({ sources: [driver], storages: [] });
    answers['GET /api/backup/records/812'] = ok({ ...record, taskType: 'apart' });
    answers['POST /api/backup/records/812/restore'] = ok({ id: 5 });
    const session = { id: '7', user: 'till', address: '10.0.0.7', program: 'process 3', since: null };
    const shop = { name: 'shop', exists: true, isReplaced: false, sizeBytes: null, sessions: [session] };
    const found = { server: 'key K', databases: [shop], notes: ['Nothing changes by that.'] };
    answers['POST /api/backup/records/812/restore/preview'] = ok(found);
    const { code, stderr } = await run(['restore', '812', '--original', '--confirm', 'web']);
    expect(code).toBe(0);
    expect(stderr).toContain('leaves   shop on key K\n  in use by till from 10.0.0.7 with process 3 (7)\n');
    expect(stderr).toContain('Nothing changes by that.');
    expect(stderr).not.toContain('endSessions');
    const offline = { status: 503, body: { code: 'NODE_OFFLINE', message: 'db-01 is offline.' } };
    answers['POST /api/backup/records/812/restore/preview'] = offline;
    const blind = await run(['restore', '812', '--original', '--confirm', 'web']);
    expect([blind.code, blind.stderr.includes('db-01 is offline.')]).toEqual([0, true]);
  });

  test('a task is changed where it was asked for, and deleted once that was confirmed', async () => {
    const field = (name: string, kind: string, secret = false) => ({
      name,
      kind,
      label: name,
      required: false,
      secret,
    });
    const fields = [field('dbHost', 'text'), field('dbPassword', 'text', true), field('databases', 'list')];
    answers['GET /api/drivers'] = ok({ sources: [{ type: 'shopdb', title: 'Shop', fields }], storages: [] });
    const extraConfig = { dbHost: 'db-1', dbPassword: '********', databases: ['shop'] };
    const task = {
      id: 3,
      name: 'shop',
      type: 'shopdb',
      nodeName: 'db-01',
      cronExpr: '@daily',
      retentionDays: 7,
      extraConfig,
    };
    answers['GET /api/backup/tasks/3'] = ok(task);
    answers['PUT /api/backup/tasks/3'] = ok({ ...task, id: 3 });
    answers['DELETE /api/backup/tasks/3'] = ok({ status: 'ok' });
    const sent = () => seen.findLast((one) => one.route.startsWith('PUT'))?.body;

    expect((await run(['task', 'update', '3'])).code).toBe(2);
    expect(sent()).toBeUndefined();
    expect(await run(['task', 'update', '3', '--keep-days', '0', '--cron', ''])).toMatchObject({
      code: 0,
      stdout: '3\n',
    });
    expect(sent()).toEqual({ ...task, cronExpr: '', retentionDays: 0 });
    await run(['task', 'update', '3', '--name', 'crm', '--storage', '4', '--storage', '5', '--mode', 'repository']);
    const places = { storageTargetId: 4, storageTargetIds: [4, 5], backupMode: 'repository', encrypt: false };
    expect(sent()).toEqual({ ...task, name: 'crm', ...places });
    const file = join(dir, 'task-secret');
    writeFileSync(file, 'typed\n');
    await run(['task', 'update', '3', '--set', 'databases=', '--secret-file', `dbPassword=${file}`]);
    expect(sent()).toEqual({ ...task, extraConfig: { ...extraConfig, dbPassword: 'typed', databases: [] } });

    const asked = await run(['task', 'delete', '3']);
    expect([asked.code, seen.some((one) => one.route.startsWith('DELETE'))]).toEqual([13, false]);
    expect(asked.stderr).toContain('task 3 (shop) on db-01');
    expect((await run(['task', 'delete', '3', '--yes'])).code).toBe(0);
    expect(seen.some((one) => one.route === 'DELETE /api/backup/tasks/3')).toBe(true);
  });

  test('a deep verification restores into a server that is named, a secret comes from a file', async () => {
    const field = (name: string, more = {}) => ({
      name,
      kind: 'text',
      label: name,
      required: false,
      secret: false,
      ...more,
    });
    const place = { place: true };
    const restoreFields = [field('dbHost', place), field('dbPassword', { ...place, secret: true }), field('rename')];
    const driver = { kind: 'source', type: 'shopdb', title: 'Shop', fields: [], restoreFields };
    answers['GET /api/drivers'] = ok({ sources: [driver], storages: [] });
    answers['GET /api/backup/records/812'] = ok({ ...record, taskType: 'shopdb' });
    answers['POST /api/backup/records/812/verify'] = ok({ id: 9 });
    const file = join(dir, 'verify-secret');
    writeFileSync(file, 'typed\n');
    const command = ['verify', '812', '--deep', '--set', 'dbHost=test-1'];
    const given = await run([...command, '--secret-file', `dbPassword=${file}`]);
    expect(given).toMatchObject({ code: 0, stdout: '9\n' });
    const body = { mode: 'deep', options: { dbHost: 'test-1', dbPassword: 'typed' } };
    expect(seen.find((one) => one.route.endsWith('/verify'))?.body).toEqual(body);
    expect((await run([...command, '--set', 'rename=a=b'])).code).toBe(2);
  });
});

describe('launcher', () => {
  const old = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
    const version = spawnSync(path, ['-p', 'process.versions.node']).stdout?.toString() ?? '';
    return Number(version.split('.')[0]) >= 20 && Number(version.split('.')[0]) < 24;
  });
  // A stand-in for an older Node: the real one with a patched version, for machines that have only Node 24.
  const patch = join(dir, 'patch.cjs');
  writeFileSync(
    patch,
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.0.0' } });",
  );
  const command = old ? [old, program] : [process.execPath, '--require', patch, program];

  test('an older Node starts the pinned one with the same arguments', () => {
    const { stdout, status } = spawnSync(command[0] as string, [...command.slice(1), 'version'], { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout).toContain('node v24.');
  });

  test('passes on exit codes and signals', async () => {
    expect(spawnSync(command[0] as string, [...command.slice(1), 'nonsense']).status).toBe(2);
    const env = { ...process.env, BACKUPX_AGENT_TOKEN: 'x' };
    const args = [...command.slice(1), 'agent', '--master', 'http://127.0.0.1:1', '--state-dir', join(dir, 'state')];
    const child = spawn(command[0] as string, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await new Promise<void>((resolve) =>
      child.stdout.on('data', (text) => String(text).includes('Trying again') && resolve()),
    );
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  test('says what to do when there is no Node 24', () => {
    const copy = join(dir, 'backupx.mjs');
    writeFileSync(copy, readFileSync(program));
    chmodSync(copy, 0o755);
    const { stderr, status } = spawnSync(command[0] as string, [...command.slice(1, -1), copy], { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain('npm ci');
  });
});

test.each([
  ['push', 1, ['000000010000000000000003']],
  ['fetch', 200, ['000000010000000000000003', 'RECOVERYXLOG']],
])('wal %s that ends since nobody reads its log is no success: %i', async (command, expected, more) => {
  // As soon as the program waits for a disk, the reader of its messages goes away.
  const preload = `const go = () => { setImmediate(go); const all = process.stderr.listeners('error');
    for (const one of all) one(Object.assign(new Error('write'), { code: 'EPIPE' })); }; go();`;
  const options = `--import=data:text/javascript,${encodeURIComponent(preload)}`;
  const config = join(dir, 'wal.conf');
  writeFileSync(config, `storage = local_disk\nstorage.basePath = ${dir}\n`);
  writeFileSync(join(dir, '000000010000000000000003'), 'x');
  const { code } = await run(['wal', command, '--config', config, ...more], { NODE_OPTIONS: options });
  expect(code).toBe(expected);
});
