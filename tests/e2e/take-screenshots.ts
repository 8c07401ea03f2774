/**
 * `npm run screenshots`: pictures of every page of the console for README and docs, taken from a real installation
 * with a real agent. Runs in mount and host-name namespaces of its own (root on Linux), so that the pictures show
 * plain paths and names such as /srv/www and web-01 instead of those of the machine that takes them.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Node } from '@backupx/contracts/api/nodes';
import type { BackupRecord } from '@backupx/contracts/api/records';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { waitForOnline } from '../support/agent.ts';
import {
  type ContextOptions,
  launchBrowser,
  openContext,
  type SavedSession,
  saveSession,
  waitUntilLoaded,
} from '../support/browser.ts';
import { adminLogin, createClient, type Master, startMaster } from '../support/master.ts';
import { root, waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import {
  createInstallation,
  fillRepository,
  type Installation,
  makeSources,
  runEveryTask,
  runRestores,
  type Setting,
} from './seed-installation.ts';

const folder = path.join(root, 'docs', 'screenshots');
const places = { sources: '/srv', stores: '/mnt' };

interface Shot {
  readonly name: string;
  readonly address: string;
  /** Brings the page to what the picture is about. */
  readonly prepare?: (page: Page) => Promise<unknown>;
  /** Taken in Chinese too. */
  readonly isTranslated?: boolean;
  /** Taken on a phone too. */
  readonly isOnPhone?: boolean;
}

function listShots({ tasks, records, restores, targets, repository }: Installation): readonly Shot[] {
  return [
    { name: 'overview', address: '/', isTranslated: true, isOnPhone: true },
    { name: 'tasks', address: '/tasks', isTranslated: true, isOnPhone: true },
    { name: 'task', address: `/tasks/${tasks.web}` },
    { name: 'task-form', address: `/tasks/${tasks.web}/edit` },
    { name: 'activity', address: '/activity' },
    { name: 'record', address: `/activity/backups/${records.good}`, isTranslated: true, isOnPhone: true },
    { name: 'record-failed', address: `/activity/backups/${records.failed}` },
    { name: 'record-warning', address: `/activity/backups/${records.warning}` },
    { name: 'restore', address: '/restore', isTranslated: true },
    { name: 'restore-versions', address: `/restore/${tasks.web}` },
    {
      name: 'restore-files',
      address: `/restore/${tasks.web}/${records.good}`,
      isTranslated: true,
      prepare: async (page) => {
        await page
          .getByRole('button', { name: '/srv/www', exact: true })
          .or(page.getByRole('button', { name: 'www' }))
          .first()
          .click();
        await page.getByRole('checkbox', { name: /css$/ }).check();
        await page.getByRole('checkbox', { name: /index\.html$/ }).check();
      },
    },
    { name: 'restore-record', address: `/activity/restores/${restores.good}` },
    { name: 'servers', address: '/servers' },
    { name: 'storage', address: '/storage', prepare: (page) => page.getByRole('progressbar').first().waitFor() },
    { name: 'storage-form', address: `/storage/${targets.offSite}` },
    { name: 'repositories', address: '/storage/repositories', isTranslated: true },
    { name: 'repository', address: `/storage/repositories/${repository.id}`, isTranslated: true, isOnPhone: true },
    {
      name: 'repository-find',
      address: `/storage/repositories/${repository.id}/find`,
      prepare: async (page) => {
        await page.getByRole('searchbox', { name: 'Name or pattern' }).fill('page-7');
        await page.keyboard.press('Enter');
        await page.getByText('2 versions').waitFor();
      },
    },
    { name: 'repository-compare', address: `/storage/repositories/${repository.id}/compare` },
    { name: 'repository-maintenance', address: `/storage/repositories/${repository.id}/maintenance` },
    { name: 'repository-access', address: `/storage/repositories/${repository.id}/access` },
    { name: 'snapshot', address: `/storage/repositories/${repository.id}/snapshots/${repository.snapshotId}` },
    { name: 'record-snapshot', address: `/activity/backups/${repository.recordId}` },
    { name: 'maintenance-record', address: `/activity/maintenance/${repository.checkId}` },
    { name: 'settings', address: '/settings' },
    { name: 'settings-general', address: '/settings/general' },
    { name: 'settings-users', address: '/settings/users' },
    { name: 'settings-api-keys', address: '/settings/api-keys' },
    { name: 'settings-audit', address: '/settings/audit' },
    { name: 'settings-recovery-kit', address: '/settings/recovery-kit' },
    { name: 'palette', address: '/', prepare: (page) => openPalette(page) },
  ];
}

async function openPalette(page: Page): Promise<void> {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').last().fill('web');
  await page.getByRole('option').nth(1).waitFor();
}

async function take(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: path.join(folder, `${name}.png`), animations: 'disabled', caret: 'hide' });
  console.log(name);
}

interface Look extends ContextOptions {
  /** Ends the names of the pictures. */
  readonly suffix: string;
}
const desk = { width: 1280, height: 800 } as const;
const looks = {
  light: { ...desk, theme: 'light', suffix: '-light' },
  dark: { ...desk, theme: 'dark', suffix: '-dark' },
  chinese: { ...desk, theme: 'light', language: 'zh-CN', suffix: '-light-zh' },
  phone: { width: 390, height: 800, theme: 'light', suffix: '-phone' },
} as const satisfies Record<string, Look>;

async function inLook(
  browser: Browser,
  look: Look,
  session: SavedSession | undefined,
  work: (context: BrowserContext) => Promise<void>,
): Promise<void> {
  const context = await openContext(browser, { ...look, session });
  await work(context);
  await context.close();
}

async function takeAll(
  browser: Browser,
  master: Master,
  session: SavedSession,
  shots: readonly Shot[],
  look: Look,
): Promise<void> {
  await inLook(browser, look, session, async (context) => {
    const page = await context.newPage();
    for (const { name, address, prepare } of shots) {
      await page.goto(`${master.url}${address}`);
      await waitUntilLoaded(page);
      await prepare?.(page);
      await waitUntilLoaded(page);
      await take(page, `${name}${look.suffix}`);
    }
  });
}

/** Pages before anything exists: set-up, then the first backup's form. */
async function takeFirstSteps(browser: Browser, master: Master): Promise<Master> {
  for (const look of [looks.light, looks.dark]) {
    await inLook(browser, look, undefined, async (context) => {
      const page = await context.newPage();
      await page.goto(master.url);
      await page.getByRole('button', { name: 'Create administrator' }).waitFor();
      await take(page, `setup${look.suffix}`);
    });
  }
  const { token } = await createClient(master.url, '').call<{ token: string }>('POST', '/api/auth/setup', adminLogin);
  const session = await saveSession(browser, master.url, adminLogin);
  for (const look of [looks.light, looks.dark]) {
    await inLook(browser, look, undefined, async (context) => {
      const page = await context.newPage();
      await page.goto(master.url);
      await page.getByRole('button', { name: 'Sign in' }).waitFor();
      await take(page, `login${look.suffix}`);
    });
    await inLook(browser, look, session, async (context) => {
      const page = await context.newPage();
      await page.goto(master.url);
      await page.getByLabel('Folder 1').fill('/srv/www');
      await take(page, `first-backup${look.suffix}`);
    });
  }
  return { ...master, client: createClient(master.url, token) };
}

type Row = Readonly<Record<string, string | number | null>>;
const DAY_MS = 86_400_000;
const toText = (time: number): string => new Date(time).toISOString();

/** The record of one night, made after the one run there was. */
function backdate(model: Row, failure: Row, night: { taskId: number; day: number; isBroken: boolean }): Row {
  const { taskId, day, isBroken } = night;
  // 02:00 in Berlin is 00:00 or 01:00 UTC; `day` 0 is the last such hour that has passed.
  const slot = Math.floor((Date.now() - 3_600_000) / DAY_MS) * DAY_MS + 3_600_000;
  const startedAt = slot - day * DAY_MS + taskId * 1000;
  const outcome = isBroken ? failure : { ...model, file_size: Math.round(Number(model.file_size) * (1 - day / 120)) };
  return {
    ...outcome,
    task_id: taskId,
    task_name: model.task_name ?? '',
    node_id: model.node_id ?? 1,
    trigger: 'schedule',
    slot_at: null,
    started_at: toText(startedAt),
    completed_at: toText(startedAt + 41_000 + day * 900),
    last_activity_at: toText(startedAt),
  };
}

/** Replaces the first runs by those of the 30 nights before, with an odd failure, as if a month had passed. */
function writeHistory(file: string, { tasks }: Setting): void {
  const database = new DatabaseSync(file);
  const models = database.prepare('SELECT * FROM records').all() as Row[];
  const columns = Object.keys(models[0] ?? {}).filter((name) => name !== 'id');
  const insert = database.prepare(
    `INSERT INTO records (${columns.join()}) VALUES (${columns.map((name) => `:${name}`).join()})`,
  );
  const modelOf = (id: number): Row => models.find((row) => row.task_id === id) ?? {};
  const good = { status: 'success', problem_count: 0, problems: '[]' };
  const failure = modelOf(tasks.crm);
  const crm = { ...modelOf(tasks.mail), task_name: failure.task_name ?? '' };
  const plans: readonly { id: number; model: Row; broken: readonly number[] }[] = [
    { id: tasks.web, model: modelOf(tasks.web), broken: [] },
    { id: tasks.mail, model: modelOf(tasks.mail), broken: [11, 12] },
    { id: tasks.finance, model: { ...modelOf(tasks.finance), ...good }, broken: [20] },
    { id: tasks.crm, model: crm, broken: [0, 1] },
  ];
  for (let day = 29; day >= 0; day--) {
    for (const { id, model, broken } of plans) {
      const row = backdate(model, failure, { taskId: id, day, isBroken: broken.includes(day) });
      insert.run(Object.fromEntries(columns.map((name) => [name, row[name] ?? null])));
    }
  }
  for (const { id } of models) database.prepare('DELETE FROM records WHERE id = ?').run(id ?? null);
  database.prepare('UPDATE tasks SET created_at = ?').run(toText(Date.now() - 40 * DAY_MS));
  database.close();
}

/** An agent that believes to be `name`: a host-name namespace of its own. */
async function startNamedAgent(master: Master, name: string, home: string): Promise<() => Promise<void>> {
  const node = await master.client.call<Node & { token: string }>('POST', '/api/nodes', { name });
  mkdirSync(home, { recursive: true });
  const program = path.join(root, 'apps', 'cli', 'bin', 'backupx.mjs');
  const script = `hostname ${name}; exec "${process.execPath}" "${program}" agent`;
  const child = spawn('unshare', ['--uts', 'sh', '-c', script], {
    cwd: home,
    stdio: 'ignore',
    env: {
      ...process.env,
      BACKUPX_AGENT_MASTER: master.url,
      BACKUPX_AGENT_TOKEN: node.token,
      BACKUPX_AGENT_TEMP_DIR: path.join(home, 'temp'),
      BACKUPX_AGENT_STATE_DIR: path.join(home, 'state'),
    },
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  process.once('exit', () => child.kill('SIGKILL'));
  await waitForOnline(master.client, node.id);
  return async () => {
    child.kill('SIGTERM');
    await ended;
  };
}

/** Pictures of a run under way, slowed down so that there is time for them. */
async function takeRunning(browser: Browser, master: Master, session: SavedSession, taskId: number): Promise<void> {
  const record = await master.client.call<BackupRecord>('POST', `/api/backup/tasks/${taskId}/run`);
  await waitFor('a fifth is done', async () => {
    const { progress } = await master.client.call<BackupRecord>('GET', `/api/backup/records/${record.id}`);
    return (progress?.percent ?? 0) > 20;
  });
  for (const look of [looks.light, looks.dark, looks.chinese]) {
    await inLook(browser, look, session, async (context) => {
      const page = await context.newPage();
      await page.goto(`${master.url}/activity/backups/${record.id}`);
      await waitUntilLoaded(page);
      await page.getByText('DSC0').first().waitFor();
      await take(page, `record-running${look.suffix}`);
      await page.goto(master.url);
      await waitUntilLoaded(page);
      await page.getByRole('progressbar').first().waitFor();
      await take(page, `overview${look.suffix}`);
    });
  }
  await master.client.call('POST', `/api/backup/records/${record.id}/cancel`);
}

async function takeAddServer(browser: Browser, master: Master, session: SavedSession): Promise<void> {
  for (const look of [looks.light, looks.dark]) {
    await inLook(browser, look, session, async (context) => {
      const page = await context.newPage();
      await page.goto(`${master.url}/servers/new`);
      await page.getByLabel('Name').fill(look === looks.light ? 'web-02' : 'web-03');
      await page.getByRole('button', { name: 'Create the command' }).click();
      await page.getByText('Waiting for the agent…').waitFor();
      await take(page, `add-server${look.suffix}`);
    });
  }
}

async function main(): Promise<void> {
  const work = makeWorkFolder('screenshots');
  mkdirSync(folder, { recursive: true });
  makeSources(places);
  // Its path is in the pictures of a new installation.
  const home = path.join(places.sources, 'backupx');
  mkdirSync(home);
  const browser = await launchBrowser();
  const master = await takeFirstSteps(browser, await startMaster(home, { isSetUp: false }));
  await master.client.call('PUT', '/api/settings', {
    siteName: 'BackupX',
    timezone: 'Europe/Berlin',
    externalUrl: 'https://backup.example.com',
  });
  await master.client.call('PUT', '/api/nodes/1', { name: 'backup-01' });
  const stopAgent = await startNamedAgent(master, 'web-01', work.at('agent'));
  const nodes = await master.client.call<Node[] | { items: Node[] }>('GET', '/api/nodes');
  const web = (Array.isArray(nodes) ? nodes : nodes.items).find((node) => node.name === 'web-01');
  const setting = await createInstallation(master.client, places, web?.id ?? 0);
  await runEveryTask(master.client, setting);
  await master.stop();
  writeHistory(path.join(master.dataFolder, 'backupx.db'), setting);
  process.env.BACKUPX_BACKUP_BANDWIDTH_LIMIT = '1MB';
  await master.restart();
  await waitForOnline(master.client, web?.id ?? 0);
  const records = await runEveryTask(master.client, setting);
  const restores = await runRestores(master.client, places, records.good);
  const repository = await fillRepository(master.client, places, setting);
  const installation = { ...setting, records, restores, repository };
  const headers = { authorization: `Bearer ${master.client.token}` };
  await (await fetch(`${master.url}/api/recovery-kit`, { headers })).text();
  const session = await saveSession(browser, master.url, adminLogin);
  const shots = listShots(installation);
  for (const look of [looks.light, looks.dark]) await takeAll(browser, master, session, shots, look);
  await takeAll(
    browser,
    master,
    session,
    shots.filter((shot) => shot.isTranslated),
    looks.chinese,
  );
  await takeAll(
    browser,
    master,
    session,
    shots.filter((shot) => shot.isOnPhone),
    looks.phone,
  );
  await takeRunning(browser, master, session, installation.tasks.photos);
  await takeAddServer(browser, master, session);
  await browser.close();
  await stopAgent();
  await master.stop();
  work.remove();
}

if (process.env.BACKUPX_SCREENSHOTS_INSIDE === '1') {
  for (const place of Object.values(places)) execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', place]);
  execFileSync('hostname', ['backup-01']);
  await main();
  process.exit(0);
} else {
  const inside = ['--mount', '--uts', process.execPath, import.meta.filename];
  const result = spawnSync('unshare', inside, {
    stdio: 'inherit',
    env: { ...process.env, BACKUPX_SCREENSHOTS_INSIDE: '1' },
  });
  if (result.error) console.error(`unshare could not be started: ${result.error.message}`);
  process.exitCode = result.status ?? 1;
}
