/** Every page of the console in both themes, both languages and two widths, on an installation with something of everything. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { allRoutes } from '@backupx/contracts/api/all-routes';
import type { BackupRecord } from '@backupx/contracts/api/records';
import type { VerifyRecord } from '@backupx/contracts/api/verifications';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, startAgent } from '../support/agent.ts';
import {
  findAccessibilityProblems,
  findSidewaysScroll,
  launchBrowser,
  openContext,
  readTexts,
  type SavedSession,
  saveSession,
  signIn,
  waitForFocus,
  waitUntilLoaded,
  watchPage,
} from '../support/browser.ts';
import { adminLogin, createTask, type Master, runTask, startMaster } from '../support/master.ts';
import { root, waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import {
  createInstallation,
  damageRepository,
  fillRepository,
  type Installation,
  makeSources,
  runEveryTask,
  runRestores,
  type SeededRepository,
  viewerLogin,
} from './seed-installation.ts';

type Catalogue = Readonly<Record<string, string | Readonly<Record<string, string>>>>;

const work = makeWorkFolder('pages');
const places = { sources: work.at('sources'), stores: work.at('stores') };
let master: Master;
let agent: Agent;
let browser: Browser;
let admin: SavedSession;
let installation: Installation;
let damaged: SeededRepository;
let verification: VerifyRecord;

/** A module of the console itself, so that the tests cannot drift from its table of pages and its texts. */
async function loadFromConsole<T>(file: string): Promise<T> {
  return (await import(pathToFileURL(path.join(root, 'apps', 'web', 'src', file)).href)) as T;
}

async function verifyRecord(recordId: number): Promise<VerifyRecord> {
  const { id } = await master.client.call<VerifyRecord>('POST', `/api/backup/records/${recordId}/verify`, {});
  return await waitFor(`verification ${id} ends`, async () => {
    const current = await master.client.call<VerifyRecord>('GET', `/api/verify/records/${id}`);
    return current.status === 'running' ? null : current;
  });
}

async function runOften(name: string, targetId: number): Promise<void> {
  const sourcePaths = [path.join(places.sources, 'finance')];
  const { id } = await createTask(master.client, { name, sourcePaths, storageTargetIds: [targetId] });
  for (let run = 0; run < 13; run++) await runTask(master.client, id);
}

beforeAll(async () => {
  makeSources(places);
  browser = await launchBrowser();
  master = await startMaster(work.path);
  agent = await startAgent(master.client, work.at('agent'), 'web-01');
  const setting = await createInstallation(master.client, places, agent.nodeId);
  const records = await runEveryTask(master.client, setting);
  const restores = await runRestores(master.client, places, records.good);
  const repository = await fillRepository(master.client, places, setting);
  installation = { ...setting, records, restores, repository };
  verification = await verifyRecord(records.good);
  damaged = await damageRepository(master.client, places, setting);
  // More than one page of fifty.
  await Promise.all([1, 2, 3, 4].map((number) => runOften(`many-runs-${number}`, setting.targets.nas)));
  await master.client.call('POST', '/api/nodes', { name: 'db-02.example.com' });
  admin = await saveSession(browser, master.url, adminLogin);
}, 480_000);
afterAll(async () => {
  await browser?.close();
  await agent?.stop();
  await master?.stop();
  work.remove();
});

/** Addresses to look at for each route of the console. */
function addressesOf(seeded: Installation): Readonly<Record<string, readonly string[]>> {
  const { tasks, records, restores, targets, repository } = seeded;
  const { good, failed, warning } = records;
  const places = [repository, damaged].map(({ id }) => `/storage/repositories/${id}`);
  return {
    '/': ['/'],
    '/tasks': ['/tasks'],
    '/tasks/new': ['/tasks/new'],
    '/tasks/$id': [`/tasks/${tasks.web}`, `/tasks/${tasks.old}`, `/tasks/${tasks.wiki}`],
    '/tasks/$id/edit': [`/tasks/${tasks.finance}/edit`, `/tasks/${tasks.wiki}/edit`],
    '/activity': ['/activity'],
    '/activity/$tab': ['restores', 'verifications', 'maintenance'].map((tab) => `/activity/${tab}`),
    '/activity/backups/$id': [good, failed, warning, repository.recordId].map((id) => `/activity/backups/${id}`),
    '/activity/restores/$id': [restores.good, restores.failed].map((id) => `/activity/restores/${id}`),
    '/activity/maintenance/$id': [repository, damaged].map(({ checkId }) => `/activity/maintenance/${checkId}`),
    '/activity/verifications/$id': [`/activity/verifications/${verification.id}`],
    '/restore': ['/restore'],
    '/restore/$taskId': [`/restore/${tasks.web}`, `/restore/${tasks.crm}`],
    '/restore/$taskId/$recordId': [`/restore/${tasks.web}/${good}`],
    '/servers': ['/servers'],
    '/servers/new': ['/servers/new'],
    '/storage': ['/storage'],
    '/storage/new': ['/storage/new'],
    '/storage/$id': [`/storage/${targets.offSite}`],
    '/storage/repositories': ['/storage/repositories'],
    '/storage/repositories/new': ['/storage/repositories/new'],
    '/storage/repositories/$id': places,
    '/storage/repositories/$id/$tab': ['find', 'compare', 'maintenance', 'access', 'settings'].map(
      (tab) => `${places[0]}/${tab}`,
    ),
    '/storage/repositories/$id/snapshots/$snapshotId': [`${places[0]}/snapshots/${repository.snapshotId}`],
    '/settings': ['/settings'],
    '/settings/$tab': ['general', 'users', 'api-keys', 'audit', 'recovery-kit'].map((tab) => `/settings/${tab}`),
  };
}

/** Codes of the audit log, which stand behind its words as tooltips. */
const auditCodes = new Set(Object.values(allRoutes).flatMap((group) => Object.values(group).map(auditCodeOf)));

function auditCodeOf(route: { readonly audit?: string }): string {
  return route.audit ?? '';
}

/** `nav.tasks` where a word should stand: the key of a text that nobody wrote. */
function findKeys(texts: readonly string[], catalogue: Catalogue): string[] {
  const spaces = new Set(Object.keys(catalogue).map((key) => key.split('.')[0]));
  const isKey = (text: string): boolean =>
    /^[a-zA-Z]+(\.[a-zA-Z_]+)+$/.test(text) && spaces.has(text.split('.')[0]) && !auditCodes.has(text);
  return texts.filter(isKey);
}

/** Texts that are one of the English catalogue word for word, on a page that should be Chinese. */
function findEnglish(texts: readonly string[], en: Catalogue, zh: Catalogue): string[] {
  const translated = Object.keys(en).filter((key) => typeof en[key] === 'string' && en[key] !== zh[key]);
  const english = new Set(translated.map((key) => en[key]));
  const chinese = new Set(Object.values(zh));
  return texts.filter((text) => english.has(text) && !chinese.has(text) && text.length > 2);
}

function findWrongWords(
  texts: readonly string[],
  language: 'en' | 'zh-CN',
  { en, zh }: { readonly en: Catalogue; readonly zh: Catalogue },
): string[] {
  const keys = findKeys(texts, en).map((text) => `a key instead of a text: ${text}`);
  return language === 'en'
    ? [...keys, ...texts.filter((text) => /\p{Script=Han}/u.test(text))]
    : [...keys, ...findEnglish(texts, en, zh)];
}

describe('the pages of the console', () => {
  it('are all known to this test', async () => {
    const { routes } = await loadFromConsole<{ routes: readonly { path: string }[] }>('routes.tsx');
    expect(routes.map((route) => route.path).sort()).toEqual(Object.keys(addressesOf(installation)).sort());
  });

  // Every page in every look; it is loaded in one theme and then put into the other, as the system of its user may be.
  it.each([
    { language: 'en', width: 1280, isForAxe: true },
    { language: 'zh-CN', width: 1280, isForAxe: false },
    { language: 'zh-CN', width: 390, isForAxe: true },
    { language: 'en', width: 390, isForAxe: false },
  ] as const)(
    'are sound in both themes, $language, $width px',
    async ({ language, width, isForAxe }) => {
      const { enWhole: en } = await loadFromConsole<{ enWhole: Catalogue }>('i18n/en-whole.ts');
      const { zhCNWhole } = await loadFromConsole<{ zhCNWhole: Catalogue }>('i18n/zh-cn-whole.ts');
      const context = await openContext(browser, { language, width, session: admin });
      const page = await context.newPage();
      const problems = watchPage(page, master.url);
      for (const [index, address] of [...Object.values(addressesOf(installation)).flat(), '/nowhere'].entries()) {
        const themes = index % 2 === 0 ? (['light', 'dark'] as const) : (['dark', 'light'] as const);
        await page.emulateMedia({ colorScheme: themes[0] });
        await page.goto(`${master.url}${address}`);
        await waitUntilLoaded(page);
        expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe(themes[0]);
        for (const theme of themes) {
          await page.emulateMedia({ colorScheme: theme });
          // The page hears of another theme with its next frame.
          await page.waitForFunction((wanted) => document.documentElement.dataset.theme === wanted, theme);
          const found = [
            ...(await findSidewaysScroll(page)),
            ...(isForAxe ? await findAccessibilityProblems(page) : []),
            ...findWrongWords(await readTexts(page), language, { en, zh: zhCNWhole }),
          ];
          problems.push(...found.map((problem) => `${address}, ${theme}: ${problem}`));
        }
      }
      await context.close();
      expect(problems).toEqual([]);
    },
    600_000,
  );

  it('say by which clock a task runs, also when it follows that of the installation', async () => {
    const { page } = await openAsAdmin(`/tasks/${installation.tasks.web}`);
    await page.getByText(new RegExp(`Runs every day at ${installation.dailyAt}, [A-Z]\\S+ time`)).waitFor();
    await page.context().close();
  });

  it('load more runs when there are more than fifty', async () => {
    const { page, problems } = await openAsAdmin('/activity');
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.waitForFunction(() => document.querySelectorAll('tbody tr').length > 50);
    expect(problems).toEqual([]);
    await page.context().close();
  });
});

async function openAsAdmin(address: string): Promise<{ page: Page; problems: string[] }> {
  const page = await (await openContext(browser, { session: admin })).newPage();
  const problems = watchPage(page, master.url);
  await page.goto(`${master.url}${address}`);
  await waitUntilLoaded(page);
  return { page, problems };
}

const waitForFocused = (page: Page, name: string) => waitForFocus(page.getByRole('button', { name, exact: true }));

describe('dialogs', () => {
  it.each(['light', 'dark'] as const)('name what would be lost before a task is deleted (%s)', async (theme) => {
    const page = await (await openContext(browser, { theme, session: admin })).newPage();
    await page.goto(`${master.url}/tasks`);
    await page.getByRole('button', { name: 'Delete old-projects' }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete task “old-projects”?' });
    await dialog.getByText('Backups made so far stay').waitFor();
    await waitForFocused(page, 'Cancel');
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await waitForFocused(page, 'Delete old-projects');
    expect(await page.getByRole('link', { name: 'old-projects', exact: true }).count()).toBe(1);
    await page.context().close();
  });

  it('delete a task when told so', async () => {
    await createTask(master.client, {
      name: 'short-lived',
      sourcePaths: [places.sources],
      storageTargetIds: [installation.targets.nas],
    });
    const { page, problems } = await openAsAdmin('/tasks');
    await page.getByRole('button', { name: 'Delete short-lived' }).click();
    await page.getByRole('button', { name: 'Delete task' }).click();
    await page.getByRole('link', { name: 'short-lived', exact: true }).waitFor({ state: 'detached' });
    expect(problems).toEqual([]);
    await page.context().close();
  });

  it('draw the S3 form from its manifest, test typed values and keep them when the test fails', async () => {
    const { page, problems } = await openAsAdmin('/storage/new');
    await page.getByRole('radio', { name: /S3/ }).check();
    await page.getByLabel('Name').fill('Typed bucket');
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await page.getByText('This is needed.').first().waitFor();
    const typed = {
      Endpoint: 'http://127.0.0.1:9',
      Bucket: 'typed-bucket',
      'Access key': 'AKIATYPED',
      Secret: 'typed',
    };
    for (const [label, value] of Object.entries(typed)) await page.getByLabel(label).first().fill(value);
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    const alert = page.getByRole('alert');
    await alert.waitFor({ timeout: 60_000 });
    expect(await alert.innerText()).toMatch(/[A-Z]+_[A-Z_]+/);
    for (const [label, value] of Object.entries(typed))
      expect(await page.getByLabel(label).first().inputValue()).toBe(value);
    expect(await findAccessibilityProblems(page)).toEqual([]);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  it('ask before typed changes are lost, and only then', async () => {
    const { page } = await openAsAdmin(`/tasks/${installation.tasks.old}/edit`);
    await page.getByLabel('Name').fill('renamed');
    await page.getByRole('link', { name: 'Overview' }).first().click();
    await page.getByRole('button', { name: 'Keep editing' }).click();
    expect(await page.getByLabel('Name').inputValue()).toBe('renamed');
    await page.getByLabel('Name').fill('older-projects');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('heading', { name: 'older-projects' }).waitFor();
    await page.context().close();
  });
});

describe('the keyboard', () => {
  it('opens the palette, finds a task and goes there', async () => {
    const { page, problems } = await openAsAdmin('/');
    await page.keyboard.press('Control+k');
    await page.getByRole('dialog', { name: 'Go to' }).waitFor();
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await page.keyboard.type('mail-arch');
    await page.getByRole('option', { name: /mail-archive/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'mail-archive' }).waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  });

  it('goes to pages by two keys, shows its help with `?`, and stays out of fields', async () => {
    const { page, problems } = await openAsAdmin('/');
    // Somebody types them within a moment, however busy the machine is.
    await Promise.all(['g', 't'].map((key) => page.keyboard.press(key)));
    await page.getByRole('heading', { name: 'Tasks' }).waitFor();
    await page.getByLabel('Search tasks').fill('');
    await page.keyboard.type('ga?');
    expect(await page.getByLabel('Search tasks').inputValue()).toBe('ga?');
    await page.getByLabel('Search tasks').fill('');
    await page.getByLabel('Search tasks').blur();
    await page.keyboard.press('?');
    const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await help.getByText('Ctrl K').waitFor();
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await help.waitFor({ state: 'hidden' });
    await page.keyboard.press('n');
    await page.getByRole('heading', { name: 'New task' }).waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  });
});

describe('a phone', () => {
  it('has the main button of a record first', async () => {
    const page = await (await openContext(browser, { width: 390, session: admin })).newPage();
    const topOf = async (role: 'link' | 'button', name: string) =>
      (await page.getByRole('main').getByRole(role, { name, exact: true }).first().boundingBox())?.y ?? Number.NaN;
    await page.goto(`${master.url}/activity/backups/${installation.records.good}`);
    await waitUntilLoaded(page);
    expect(await topOf('link', 'Restore')).toBeLessThanOrEqual(await topOf('button', 'Delete'));
    await page.goto(`${master.url}/activity/backups/${installation.records.failed}`);
    await waitUntilLoaded(page);
    expect(await topOf('button', 'Run again')).toBeLessThanOrEqual(await topOf('button', 'Delete'));
    await page.context().close();
  });
});

describe('a verification that could not be made', () => {
  it('says why in the language of the page', async () => {
    const { items } = await master.client.call<{ items: BackupRecord[] }>('GET', '/api/backup/records');
    const record = items.find(({ taskName }) => taskName.startsWith('many-runs'));
    const nas = path.join(places.stores, 'nas');
    // The disk is unplugged.
    renameSync(nas, `${nas}-away`);
    writeFileSync(nas, '');
    const { id, errorMessage } = await verifyRecord(record?.id ?? 0).finally(() => {
      rmSync(nas);
      renameSync(`${nas}-away`, nas);
    });
    expect(errorMessage).toMatch(/^[ -~]+$/);
    const context = await openContext(browser, { language: 'zh-CN', session: admin });
    const page = await context.newPage();
    for (const address of [`/activity/verifications/${id}`, '/activity/verifications']) {
      await page.goto(`${master.url}${address}`);
      await waitUntilLoaded(page);
      const texts = await readTexts(page);
      expect(texts.filter((text) => text.includes(errorMessage))).toEqual([]);
      expect(texts.join('\n')).toContain(path.basename(nas));
    }
    await context.close();
  });
});

describe('a console that cannot be loaded whole', () => {
  it.each(['when the page is opened', 'after signing in'])(
    'says so, and is loaded again when told to (%s)',
    async (when) => {
      const isSignedIn = when === 'when the page is opened';
      const page = await (await openContext(browser, { session: isSignedIn ? admin : undefined })).newPage();
      await page.route('**/assets/app-*.js', (route) => route.abort());
      await page.goto(master.url);
      if (!isSignedIn) {
        await page.getByLabel('User name').fill(adminLogin.username);
        await page.getByLabel('Password').fill(adminLogin.password);
        await page.getByRole('button', { name: 'Sign in' }).click();
      }
      await page.getByRole('alert').waitFor();
      expect(await findAccessibilityProblems(page)).toEqual([]);
      await page.unroute('**/assets/app-*.js');
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('button', { name: 'Sign out' }).first().waitFor({ state: 'attached' });
      await page.context().close();
    },
  );
});

describe('people', () => {
  it('who only look find no button that changes anything', async () => {
    const page = await (await openContext(browser)).newPage();
    await signIn(page, master.url, viewerLogin);
    const changing =
      /^(new|add|create|delete|edit|run now|run again|run .* now|cancel run|lock|rename|remove|replace|test|verify|review|save|switch|schedule|revoke|forget|all as)\b|…$/i;
    const { good, failed } = installation.records;
    const addresses = ['/', '/tasks', `/tasks/${installation.tasks.web}`, '/activity', '/servers', '/storage']
      .concat([good, failed].map((id) => `/activity/backups/${id}`))
      .concat(`/restore/${installation.tasks.web}`, `/restore/${installation.tasks.web}/${good}`, '/settings/users')
      .concat('/storage/repositories', `/storage/repositories/${installation.repository.id}`)
      .concat(`/storage/repositories/${installation.repository.id}/maintenance`)
      .concat(`/storage/repositories/${installation.repository.id}/snapshots/${installation.repository.snapshotId}`)
      .concat(`/activity/maintenance/${installation.repository.checkId}`, `/activity/verifications/${verification.id}`);
    for (const address of addresses) {
      await page.goto(`${master.url}${address}`);
      await waitUntilLoaded(page);
      const names = await page
        .locator('main')
        .locator('button, a, [role=switch]')
        .evaluateAll((elements) => elements.map((one) => one.getAttribute('aria-label') ?? one.textContent ?? ''));
      expect({ address, found: names.filter((name) => changing.test(name.trim())) }).toEqual({ address, found: [] });
    }
    await page.context().close();
  });

  it('are told that the password is wrong, keep their name, and sign out', async () => {
    const page = await (await openContext(browser)).newPage();
    await page.goto(master.url);
    await page.getByLabel('User name').fill('admin');
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('AUTH_INVALID_CREDENTIALS').waitFor();
    expect(await page.getByLabel('User name').inputValue()).toBe('admin');
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await page.getByLabel('Password').fill(adminLogin.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    // The session lives on where the master cannot be told, and whoever asked hears of it.
    await page.route('**/auth/logout', (route) => route.abort());
    await page.getByRole('button', { name: 'Sign out' }).first().click();
    await page.getByText('BackupX cannot be reached.').waitFor();
    await page.reload();
    await page.unroute('**/auth/logout');
    await page.getByRole('button', { name: 'Sign out' }).first().click();
    await page.getByRole('heading', { name: 'Sign in to BackupX' }).waitFor();
    await page.goto(`${master.url}/tasks`);
    await page.getByRole('heading', { name: 'Sign in to BackupX' }).waitFor();
    await page.context().close();
  });
});
