/** A second machine, in a real browser and with a real agent process: connect, back up, browse, restore, disconnect. */
import { mkdirSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAccessibilityProblems, launchBrowser, openContext, signIn, watchPage } from '../support/browser.ts';
import { compareTrees } from '../support/compare-trees.ts';
import { makeTree } from '../support/make-tree.ts';
import { adminLogin, createLocalTarget, type Master, startMaster } from '../support/master.ts';
import { type Program, startProgram } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('add-server');
const source = work.at('web-02', 'www');
let master: Master;
let agent: Program;
let browser: Browser;
let page: Page;
let problems: string[];

beforeAll(async () => {
  mkdirSync(work.at('web-02'));
  makeTree(source, { files: 400, seed: 12 });
  browser = await launchBrowser();
  master = await startMaster(work.path);
  await createLocalTarget(master.client, work.at('store'), { name: 'Agent disk' });
  page = await (await openContext(browser)).newPage();
  problems = watchPage(page, master.url);
  await signIn(page, master.url, adminLogin);
});
afterAll(async () => {
  await agent?.stop();
  await browser?.close();
  await master?.stop();
  work.remove();
});

/** A mark that a reload would wipe out. */
const leaveMark = () => page.evaluate(() => Object.assign(window, { notReloaded: true }));
const hasMark = () => page.evaluate(() => 'notReloaded' in window);

function openMenu(name: string): Promise<void> {
  return page.getByRole('navigation', { name: 'Main menu' }).first().getByRole('link', { name, exact: true }).click();
}

/** What the copy box of the chosen tab holds. */
async function readCopyBox(label: string): Promise<string> {
  await page.getByRole('tab', { name: label }).click();
  return page.getByRole('region', { name: label }).innerText();
}

describe('a server added in the console', () => {
  it('gets one command, in four forms, with one token', async () => {
    await openMenu('Servers');
    await page.getByRole('link', { name: 'Add server' }).first().click();
    await page.getByRole('button', { name: 'Create the command' }).click();
    await page.getByText('This is needed.').waitFor();
    await page.getByLabel('Name').fill('web-02');
    await page.getByRole('button', { name: 'Create the command' }).click();
    await page.getByText('Waiting for the agent…').waitFor();
    await page.getByText('The token in it is shown only this once.').waitFor();
    const command = await page.getByRole('region', { name: 'Command' }).innerText();
    const token = /'([^']{20,})'/.exec(command)?.[1] ?? '';
    expect(token).not.toBe('');
    expect(command).toContain(`agent --master ${master.url}`);
    for (const form of ['YAML', 'Environment', 'systemd']) expect(await readCopyBox(form)).toContain(token);
    expect(await findAccessibilityProblems(page)).toEqual([]);
  });

  it('turns to connected without a reload once a real agent runs with that token', async () => {
    const settings = await readCopyBox('Environment');
    const env: Record<string, string> = Object.fromEntries(
      [...settings.matchAll(/export (\w+)=(\S+)/g)].map((match) => [match[1], match[2]]),
    );
    expect(Object.keys(env)).toEqual(['BACKUPX_AGENT_MASTER', 'BACKUPX_AGENT_TOKEN']);
    await leaveMark();
    mkdirSync(work.at('agent'));
    agent = startProgram(['agent', '--temp-dir', work.at('agent', 'temp'), '--state-dir', work.at('agent', 'state')], {
      cwd: work.at('agent'),
      env,
    });
    await page
      .getByText('web-02 is connected')
      .waitFor()
      .catch((error: Error) => {
        throw new Error(`${error.message}\n${agent.output()}`);
      });
    expect(await hasMark()).toBe(true);
    expect(await findAccessibilityProblems(page)).toEqual([]);
  });

  it('gets a task whose folder is picked by walking that server', async () => {
    await page.getByRole('link', { name: 'Protect something on web-02' }).click();
    await page.getByLabel('Name').fill('web-02 www');
    expect(await page.getByLabel('Server').locator('option:checked').innerText()).toBe('web-02');
    await page.getByRole('button', { name: 'Browse' }).click();
    const dialog = page.getByRole('dialog', { name: 'Choose a folder on web-02' });
    await dialog.getByLabel('Path').fill(work.at('web-02'));
    await dialog.getByRole('button', { name: 'Go', exact: true }).click();
    await dialog.getByRole('button', { name: 'www' }).click();
    await dialog.getByRole('button', { name: 'kinds' }).waitFor();
    await dialog.getByRole('button', { name: 'Choose this folder' }).click();
    await page.getByRole('checkbox', { name: 'Agent disk' }).check();
    await page.getByRole('button', { name: 'Create task' }).click();
    await page.getByRole('heading', { name: 'web-02 www' }).waitFor();
  });

  it('backs it up there', async () => {
    await page.getByRole('button', { name: 'Run now' }).click();
    await page.getByText('Everything was backed up').waitFor({ timeout: 60_000 });
    expect(await page.getByRole('log').innerText()).not.toBe('');
    const facts = await page.locator('dl').first().innerText();
    expect(facts).toContain('web-02');
  });

  it('shows the contents of the backup and restores them there, identical', async () => {
    await page.getByRole('link', { name: 'Restore', exact: true }).last().click();
    await page.getByRole('button', { name: 'www', exact: true }).click();
    await page.getByRole('button', { name: 'kinds', exact: true }).click();
    await page.getByText('sparse.img').waitFor();
    await page.getByLabel('Search files by name').fill('noise.bin');
    await page.getByText(`${source}/kinds/noise.bin`).waitFor();
    await page.getByRole('button', { name: 'All files' }).click();
    await page.getByRole('radio', { name: 'Another folder' }).check();
    await page.getByRole('textbox', { name: 'Folder', exact: true }).fill(work.at('restored'));
    expect(await page.getByLabel('On server').locator('option:checked').innerText()).toBe('web-02');
    await page.getByRole('button', { name: 'Review and restore' }).click();
    const dialog = page.getByRole('dialog', { name: 'Restore this?' });
    await dialog.getByText(`Into ${work.at('restored')} on web-02`).waitFor();
    await dialog.getByRole('button', { name: 'Start restore' }).click();
    await page.getByText('Everything was restored').waitFor({ timeout: 60_000 });
    expect(compareTrees(source, work.at('restored', 'www'))).toEqual([]);
  });

  it('is shown as offline once its agent is gone, without a reload', async () => {
    await openMenu('Servers');
    const row = page.getByRole('row', { name: /web-02/ });
    await row.getByText('Online').waitFor();
    await leaveMark();
    await agent.stop('SIGKILL');
    await row.getByText('Offline').waitFor({ timeout: 120_000 });
    expect(await hasMark()).toBe(true);
  });

  it('did all that without an error and without leaving the machine', () => {
    expect(problems).toEqual([]);
  });
});
