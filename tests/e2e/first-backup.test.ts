/** What a new user does first, in a real browser: set-up, first backup, recovery kit, restore. */
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAccessibilityProblems, launchBrowser, openContext, waitForFocus, watchPage } from '../support/browser.ts';
import { compareTrees } from '../support/compare-trees.ts';
import { makeTree } from '../support/make-tree.ts';
import { adminLogin, createClient, type Master, startMaster } from '../support/master.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('first-backup');
const source = work.at('home', 'documents');
let master: Master;
let browser: Browser;
let page: Page;
let problems: string[];

beforeAll(async () => {
  mkdirSync(work.at('home'));
  makeTree(source, { files: 400, seed: 11 });
  // Slow enough that the bar is seen: the tree holds about 9 MB of noise.
  process.env.BACKUPX_BACKUP_BANDWIDTH_LIMIT = '1MB';
  browser = await launchBrowser();
  master = await startMaster(work.path, { isSetUp: false });
  page = await (await openContext(browser)).newPage();
  problems = watchPage(page, master.url);
});
afterAll(async () => {
  delete process.env.BACKUPX_BACKUP_BANDWIDTH_LIMIT;
  await browser?.close();
  await master?.stop();
  work.remove();
});

describe('a new installation', () => {
  it('asks for the first administrator and says what is wrong with the input', async () => {
    await page.goto(master.url);
    await page.getByRole('heading', { name: 'Welcome to BackupX' }).waitFor();
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await page.getByLabel('User name').fill('ad');
    await page.getByLabel('Password').fill('short');
    await page.getByRole('button', { name: 'Create administrator' }).click();
    await page.getByText('3 to 64 letters, digits').first().waitFor();
    expect(await page.getByLabel('User name').getAttribute('aria-invalid')).toBe('true');
    await waitForFocus(page.getByLabel('User name'));
    await page.getByLabel('User name').fill(adminLogin.username);
    await page.getByLabel('Password').fill(adminLogin.password);
    await page.getByRole('button', { name: 'Create administrator' }).click();
    await page.getByRole('heading', { name: 'What shall we protect?' }).waitFor();
    expect(await findAccessibilityProblems(page)).toEqual([]);
  });

  it('refuses to start a backup of nothing', async () => {
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByText('Choose at least one folder.').waitFor();
    expect(await page.getByLabel('Folder 1').getAttribute('aria-invalid')).toBe('true');
  });

  it('lets the folder be picked by walking the server', async () => {
    await page.getByRole('button', { name: 'Browse' }).click();
    const dialog = page.getByRole('dialog', { name: /Choose a folder/ });
    await dialog.getByLabel('Path').fill(work.at('home'));
    await dialog.getByRole('button', { name: 'Go', exact: true }).click();
    await dialog.getByRole('button', { name: 'documents' }).click();
    await dialog.getByText(`Selected: ${source}`).waitFor();
    await dialog.getByRole('button', { name: 'kinds' }).waitFor();
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Choose this folder' }).click();
    expect(await page.getByLabel('Folder 1').inputValue()).toBe(source);
    await page.getByLabel('Folder for backups').fill(work.at('store'));
  });

  it('runs the first backup in the same page, live, to a success', async () => {
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByRole('heading', { name: 'Your first backup' }).waitFor();
    const bar = page.getByRole('progressbar', { name: 'Progress' });
    await bar.waitFor();
    // The figures must move while it runs, not only at its end.
    await page.waitForFunction(() => {
      const speed = [...document.querySelectorAll('dt')].find((term) => term.textContent === 'Speed');
      return /[1-9].*\/s/.test(speed?.nextElementSibling?.textContent ?? '');
    });
    await page.getByText('Everything was backed up').waitFor({ timeout: 60_000 });
    await page.getByRole('heading', { name: 'Add an off-site copy' }).waitFor();
    expect(await findAccessibilityProblems(page)).toEqual([]);
  });

  it('offers the recovery kit, which holds the key, and remembers that it was saved', async () => {
    await page.getByRole('heading', { name: 'Recovery kit' }).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download recovery kit' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('backupx-recovery-kit.txt');
    const kit = readFileSync(await download.path(), 'utf8');
    expect(kit).toMatch(/AGE-SECRET-KEY-1[0-9A-Z]{50,}/);
    expect(kit).toContain(work.at('store'));
    await page.getByRole('button', { name: 'Go to the overview' }).click();
    await page.getByText('Your task is protected.').waitFor();
    await page.getByText('Save the recovery kit before you need it').waitFor({ state: 'detached' });
  });

  it('restores it to another folder, identical', async () => {
    const main = page.getByRole('navigation', { name: 'Main menu' }).first();
    await main.getByRole('link', { name: 'Restore' }).click();
    await page.getByText('Which data do you need back?').waitFor();
    await page.getByRole('link', { name: 'documents' }).click();
    await page.getByText('Choose the moment to go back to.').waitFor();
    await page.getByRole('link', { name: /^\d\d?:\d\d/ }).click();
    await page.getByRole('button', { name: 'documents', exact: true }).waitFor();
    await page.getByRole('radio', { name: 'Another folder' }).check();
    await page.getByRole('textbox', { name: 'Folder', exact: true }).fill('not/absolute');
    await page.getByRole('button', { name: 'Review and restore' }).click();
    await page.getByText('Enter an absolute path').waitFor();
    await page.getByRole('textbox', { name: 'Folder', exact: true }).fill(work.at('restored'));
    await page.getByRole('button', { name: 'Review and restore' }).click();
    const dialog = page.getByRole('dialog', { name: 'Restore this?' });
    await dialog.getByText(`Into ${work.at('restored')}`).waitFor();
    await waitForFocus(dialog.getByRole('button', { name: 'Cancel' }));
    await dialog.getByRole('button', { name: 'Start restore' }).click();
    await page.getByText('Everything was restored').waitFor({ timeout: 60_000 });
    expect(compareTrees(source, path.join(work.at('restored'), 'documents'))).toEqual([]);
    expect(await findAccessibilityProblems(page)).toEqual([]);
  });

  it('did all that without an error and without leaving the machine', async () => {
    expect(problems).toEqual([]);
    const session = await createClient(master.url, '').call<{ token: string }>('POST', '/api/auth/login', adminLogin);
    const records = await createClient(master.url, session.token).call<{ items: { encrypted: boolean }[] }>(
      'GET',
      '/api/backup/records',
    );
    expect(records.items.map((record) => record.encrypted)).toEqual([true]);
  });
});
