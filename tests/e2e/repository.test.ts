/** The deduplicating repository in a real browser: back up twice, look, find, compare, restore, recovery kit, check, adopt. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BackupRecord } from '@backupx/contracts/api/records';
import type { Repository } from '@backupx/contracts/api/repositories';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  findAccessibilityProblems,
  launchBrowser,
  openContext,
  saveSession,
  waitUntilLoaded,
  watchPage,
} from '../support/browser.ts';
import { compareTrees } from '../support/compare-trees.ts';
import { makeTree } from '../support/make-tree.ts';
import { adminLogin, createLocalTarget, type Master, startMaster } from '../support/master.ts';
import { restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('repository-e2e');
const source = work.at('wiki');
const changed = path.join(source, 'guide.md');
let master: Master;
let browser: Browser;
let page: Page;
let problems: string[];

beforeAll(async () => {
  makeTree(source, { files: 200, seed: 5 });
  writeFileSync(changed, '# Guide\n'.repeat(2000));
  browser = await launchBrowser();
  master = await startMaster(work.path);
  await createLocalTarget(master.client, work.at('store'), { name: 'NAS' });
  const session = await saveSession(browser, master.url, adminLogin);
  page = await (await openContext(browser, { session })).newPage();
  problems = watchPage(page, master.url);
});
afterAll(async () => {
  await browser?.close();
  await master?.stop();
  work.remove();
});

async function open(address: string): Promise<void> {
  await page.goto(`${master.url}${address}`);
  await waitUntilLoaded(page);
}

async function newestRecord(): Promise<BackupRecord> {
  const { items } = await master.client.call<{ items: BackupRecord[] }>('GET', '/api/backup/records');
  const [newest] = items;
  if (!newest) throw new Error('there is no record');
  return newest;
}

async function repositoryNamed(name: string): Promise<Repository> {
  const { items } = await master.client.call<{ items: Repository[] }>('GET', '/api/repositories');
  const found = items.find((repository) => repository.name === name);
  if (!found) throw new Error(`no repository ${name} among ${items.map((one) => one.name)}`);
  return found;
}

const own = (): Promise<Repository> => repositoryNamed('local – NAS');

async function runNow(): Promise<void> {
  await page.getByRole('button', { name: 'Run now' }).click();
  await page.getByText('Everything was backed up').waitFor({ timeout: 60_000 });
}

describe('a task in the mode repository', () => {
  it('shows no field that says nothing there, and the name of the repository it will make', async () => {
    await open('/tasks/new');
    await page.getByLabel('Name').fill('wiki');
    await page.getByLabel('Folder 1').fill(source);
    await page.getByLabel('Compression').waitFor();
    await page.getByRole('radio', { name: /Repository \(deduplicated\)/ }).check();
    await page.getByRole('checkbox', { name: 'NAS' }).check();
    expect(await page.getByLabel('Compression').count()).toBe(0);
    expect(await page.getByLabel('Encrypt', { exact: true }).count()).toBe(0);
    await page.getByText('The first run makes it.').waitFor();
    expect(await page.getByLabel('Repository', { exact: true }).innerText()).toContain('local – NAS (its own)');
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await page.getByRole('button', { name: 'Create task' }).click();
    await page.getByRole('heading', { name: 'wiki' }).waitFor();
  });

  it('stores everything once, and little the second time', async () => {
    await runNow();
    const first = await newestRecord();
    await page.getByText('new files').waitFor();
    await open(`/tasks/${first.taskId}`);
    appendFileSync(changed, 'One line more.\n');
    writeFileSync(path.join(source, 'appendix.md'), '# Appendix\n');
    await runNow();
    const second = await newestRecord();
    expect(second.snapshot).toMatchObject({ filesNew: 1, filesChanged: 1 });
    expect(second.snapshot?.bytesAdded).toBeLessThan((first.snapshot?.bytesAdded ?? 0) / 5);
    const newFiles = page.locator('dt', { hasText: 'new files' }).locator('xpath=following-sibling::dd');
    expect(await newFiles.innerText()).toBe('1');
    expect(await findAccessibilityProblems(page)).toEqual([]);
  });

  it('leads from the record to the snapshot, where one file is downloaded as it is', async () => {
    await page.getByRole('link', { name: 'Open the snapshot' }).click();
    await page.getByRole('heading', { name: /^Snapshot of/ }).waitFor();
    await page.getByRole('button', { name: 'wiki', exact: true }).click();
    const link = page.getByRole('link', { name: 'Download guide.md' });
    await link.waitFor();
    expect(await findAccessibilityProblems(page)).toEqual([]);
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    expect(download.suggestedFilename()).toBe('guide.md');
    expect(readFileSync(await download.path())).toEqual(readFileSync(changed));
  });

  it('restores it from there to another folder, identical, after a look at what would change', async () => {
    await page.getByRole('radio', { name: 'Another folder' }).check();
    await page.getByRole('textbox', { name: 'Folder', exact: true }).fill(work.at('restored'));
    await page.getByRole('checkbox', { name: 'Only show what would change' }).check();
    await page.getByRole('button', { name: 'Review and restore' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Show' }).click();
    await page.getByText('Nothing was changed').waitFor({ timeout: 60_000 });
    const { snapshotId } = await newestRecord();
    await open(`/storage/repositories/${(await own()).id}/snapshots/${snapshotId}`);
    await page.getByRole('radio', { name: 'Another folder' }).check();
    await page.getByRole('textbox', { name: 'Folder', exact: true }).fill(work.at('restored'));
    await page.getByRole('button', { name: 'Review and restore' }).click();
    const dialog = page.getByRole('dialog', { name: 'Restore this?' });
    await dialog.getByText('Every piece of data is verified').waitFor();
    await dialog.getByRole('button', { name: 'Start restore' }).click();
    await page.getByText('Everything was restored').waitFor({ timeout: 60_000 });
    expect(compareTrees(source, path.join(work.at('restored'), 'wiki'))).toEqual([]);
  });
});

describe('the page of a repository', () => {
  it('lists the snapshots, by host and folder too', async () => {
    await open(`/storage/repositories/${(await own()).id}`);
    const rows = page.getByRole('table', { name: 'Snapshots' }).locator('tbody tr');
    await rows.nth(1).waitFor();
    expect(await rows.count()).toBe(2);
    await page.getByLabel('Folder that was backed up').fill('/nowhere');
    await page.getByText('No snapshot matches').waitFor();
    await page.getByLabel('Folder that was backed up').fill(source);
    await rows.nth(1).waitFor();
  });

  it('finds a file by a part of its name, with both versions', async () => {
    await page.getByRole('tab', { name: 'Find a file' }).click();
    await page.getByRole('searchbox', { name: 'Name or pattern' }).fill('guide');
    await page.getByRole('button', { name: 'Search', exact: true }).click();
    await page.getByText('2 versions').waitFor({ timeout: 60_000 });
    await page.getByText(changed).waitFor();
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await page.getByRole('searchbox', { name: 'Name or pattern' }).fill('*.nothing');
    await page.keyboard.press('Enter');
    await page.getByText('Nothing named “*.nothing”').waitFor();
  });

  it('says what changed from one snapshot to the next', async () => {
    await page.getByRole('tab', { name: 'Compare' }).click();
    await page.getByText(/^1 added, 0 removed, /).waitFor({ timeout: 60_000 });
    await page.getByText(path.join(source, 'appendix.md')).waitFor();
    expect(await findAccessibilityProblems(page)).toEqual([]);
  });

  it('checks every byte, with a log, and then calls the repository sound', async () => {
    await page.getByRole('tab', { name: 'Maintenance' }).click();
    await page.getByRole('button', { name: 'Check…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('radio', { name: /^Everything/ }).check();
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Start check' }).click();
    await page.getByText('Nothing is wrong').waitFor({ timeout: 60_000 });
    await page.getByRole('log').getByText('Ended:').waitFor();
    await open(`/storage/repositories/${(await own()).id}/maintenance`);
    await page.getByText('Sound', { exact: true }).waitFor();
  });

  it('cleans up, and says when there is no lock', async () => {
    await page.getByRole('button', { name: 'Clean up…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Clean up', exact: true }).click();
    await page.getByText('Nothing to clean up').waitFor({ timeout: 60_000 });
    await open(`/storage/repositories/${(await own()).id}/maintenance`);
    await page.getByRole('button', { name: 'Locks…' }).click();
    await page.getByRole('button', { name: 'Remove stale locks' }).click();
    await page.getByText('There is no lock.').waitFor();
    await page.getByRole('button', { name: 'Done' }).click();
  });

  it('gives out a recovery kit whose commands restore everything with stock restic', async () => {
    await page.getByText('Save the recovery kit before you need it').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download recovery kit' }).first().click(),
    ]);
    const kit = readFileSync(await download.path(), 'utf8');
    const commands = kit.split('\n').map((line) => line.trim());
    const script = commands.filter((line) => line.startsWith('export ') || line.startsWith('restic '));
    expect(script.length).toBe(3);
    const folder = work.at('elsewhere');
    mkdirSync(folder);
    execFileSync('sh', ['-ec', script.join('\n')], { cwd: folder, env: { ...process.env, HOME: folder } });
    // `restic restore` makes no holes of its own accord.
    expect(compareTrees(source, path.join(folder, 'restored', source), { isCheckingSparse: false })).toEqual([]);
    await page.getByText('Save the recovery kit before you need it').waitFor({ state: 'detached' });
  });

  it('takes a key more and gives a token to stock restic', async () => {
    await page.getByRole('tab', { name: 'Access' }).click();
    await page.getByRole('button', { name: 'Add key' }).click();
    const dialog = page.getByRole('dialog', { name: 'Add a key' });
    await dialog.getByLabel('Password').fill('a second password');
    await dialog.getByRole('button', { name: 'Add key' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: /^Remove key/ }).waitFor();
    await page.getByRole('button', { name: 'Create token' }).click();
    const line = page.getByText(/^export RESTIC_REPOSITORY=rest:http/);
    const address = /rest:(\S+)/.exec(await line.innerText())?.[1] ?? '';
    expect((await restic.open(`rest:${address}`, 'a second password').json(['snapshots'])).length).toBe(2);
    expect(await findAccessibilityProblems(page)).toEqual([]);
  });
});

describe('a repository of restic', () => {
  it('is refused with the wrong password and keeps what was typed, then its snapshots are there', async () => {
    const folder = path.join(work.at('store'), 'old-restic');
    const stock = restic.open(folder, 'from before');
    await stock.ok(['init']);
    await stock.ok(['backup', '--tag', 'before', source]);
    await open('/storage/repositories/new');
    await page.getByRole('radio', { name: /Take in an existing one/ }).check();
    await page.getByLabel('Folder').fill('old-restic');
    await page.getByLabel('Password of the repository').fill('wrong');
    await page.getByRole('button', { name: 'Take in' }).click();
    await page.getByText('REPOSITORY_WRONG_PASSWORD').waitFor({ timeout: 60_000 });
    expect(await page.getByLabel('Folder').inputValue()).toBe('old-restic');
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await page.getByLabel('Password of the repository').fill('from before');
    await page.getByRole('button', { name: 'Take in' }).click();
    await page.getByText('Taken in, with 1 snapshot.').waitFor({ timeout: 60_000 });
    await page.getByRole('table', { name: 'Snapshots' }).getByText('before').waitFor();
  });

  it('gives back a file of a snapshot that nobody here made', async () => {
    await page.getByRole('table', { name: 'Snapshots' }).getByRole('link').first().click();
    await page.getByRole('button', { name: 'wiki', exact: true }).click();
    await page.getByRole('checkbox', { name: 'Select guide.md' }).check();
    expect(await page.getByRole('radio', { name: 'Original place' }).count()).toBe(0);
    await page.getByRole('radio', { name: 'Another folder' }).check();
    await page.getByRole('textbox', { name: 'Folder', exact: true }).fill(work.at('one-file'));
    await page.getByRole('button', { name: 'Review and restore' }).click();
    await page.getByRole('button', { name: 'Start restore' }).click();
    await page.getByText('Everything was restored').waitFor({ timeout: 60_000 });
    const files = execFileSync('find', [work.at('one-file'), '-name', 'guide.md'], { encoding: 'utf8' }).trim();
    expect(readFileSync(files)).toEqual(readFileSync(changed));
    await page.getByRole('link', { name: 'Open the snapshot' }).waitFor();
  });

  it('worked without an error and without leaving the machine', () => {
    expect(problems).toEqual([]);
  });
});
