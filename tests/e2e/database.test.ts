/** A database in a real browser: tested and added through the form, backed up, restored under a new name, then over itself. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { BackupRecord } from '@backupx/contracts/api/records';
import { makeRdb, rdbBytes, rdbKey, rdbText } from '@backupx/engine/testing/make-rdb';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeRedis } from '../servers/fake-redis.ts';
import {
  findAccessibilityProblems,
  findSidewaysScroll,
  launchBrowser,
  openContext,
  saveSession,
  waitUntilLoaded,
  watchPage,
} from '../support/browser.ts';
import { adminLogin, createLocalTarget, type Master, startMaster, waitForRecord } from '../support/master.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('database-e2e');
const file = work.at('apps', 'shop.sqlite');
const copy = work.at('apps', 'copy.sqlite');
let master: Master;
let browser: Browser;
let page: Page;
let problems: string[];
let restorePage: string;
let targetId: number;

function names(of: string): unknown[] {
  const database = new DatabaseSync(of, { readOnly: true });
  try {
    return database
      .prepare('SELECT name FROM customers ORDER BY name')
      .all()
      .map((row) => row.name);
  } finally {
    database.close();
  }
}

function change(statements: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  database.exec(statements);
  database.close();
}

beforeAll(async () => {
  change("CREATE TABLE customers (name TEXT); INSERT INTO customers VALUES ('Ada'), ('Grace')");
  browser = await launchBrowser();
  master = await startMaster(work.path);
  targetId = (await createLocalTarget(master.client, work.at('store'), { name: 'NAS' })).id;
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

const check = async (): Promise<void> => {
  expect(await findAccessibilityProblems(page)).toEqual([]);
  expect(await findSidewaysScroll(page)).toEqual([]);
};

describe('a database', () => {
  it('is tested before there is a task', async () => {
    await open('/tasks/new');
    await page.getByLabel('Name', { exact: true }).fill('shop');
    await page.getByLabel('Kind of data').selectOption('sqlite');
    await page.getByRole('button', { name: 'Test connection' }).click();
    await page.getByRole('alert').first().waitFor();
    await page.getByLabel('Database files').fill(work.at('apps', '*.sqlite'));
    await page.getByRole('button', { name: 'Test connection' }).click();
    await page.getByText('Connected: SQLite').waitFor();
    await page.getByText(file).waitFor();
    const copyCheck = page.getByLabel('Check of each copy');
    await page.locator('summary', { hasText: 'Advanced' }).click();
    await copyCheck.selectOption('quick');
    await copyCheck.selectOption('full');
    // What is open does not close when its only field is as it was.
    expect(await copyCheck.isVisible()).toBe(true);
    // What is refused is shown, although somebody has closed it.
    const wait = page.getByLabel('Wait for a locked database');
    await wait.fill('0');
    await page.locator('summary', { hasText: 'Advanced' }).click();
    await wait.waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Test connection' }).click();
    await wait.waitFor();
    await wait.fill('60');
    await page.getByRole('button', { name: 'Test connection' }).click();
    await page.getByText('Connected: SQLite').waitFor();
    await check();
  });

  it('is added, and backed up', async () => {
    await page.getByLabel('NAS').check();
    await page.getByRole('button', { name: 'Create task' }).click();
    await page.getByRole('heading', { name: 'shop' }).waitFor();
    await page.getByText(work.at('apps', '*.sqlite')).first().waitFor();
    const { items } = await master.client.call<{ items: { id: number; type: string }[] }>('GET', '/api/backup/tasks');
    expect(items).toMatchObject([{ type: 'sqlite' }]);
    const run = await master.client.call<BackupRecord>('POST', `/api/backup/tasks/${items[0]?.id}/run`);
    const record = await waitForRecord(master.client, run.id);
    expect([record.errorMessage, record.status]).toEqual(['', 'success']);
    restorePage = `/restore/${record.taskId}/${record.id}`;
  });

  it('comes back under a new name', async () => {
    await open(restorePage);
    // Not a click for each folder above it.
    await page.getByRole('checkbox', { name: `Select ${path.basename(file)}`, exact: true }).waitFor();
    await page.getByLabel('Restore to another path').fill(`${file}=${copy}`);
    await check();
    await page.getByRole('button', { name: 'Review and restore' }).click();
    const dialog = page.getByRole('dialog', { name: 'Restore this?' });
    await dialog.getByText('nothing is replaced').waitFor();
    await dialog.getByText(`${copy} · does not exist yet`).waitFor();
    await dialog.getByText('On local', { exact: true }).waitFor();
    await check();
    await dialog.getByRole('button', { name: 'Start restore' }).click();
    await page.getByText('Everything was restored').waitFor();
    expect(names(copy)).toEqual(['Ada', 'Grace']);
  });

  it('is not replaced while a program has it open, which is listed', async () => {
    const input = openSync(file, 'r');
    const holder = spawn('sleep', ['600'], { stdio: [input, 'ignore', 'ignore'] });
    closeSync(input);
    try {
      await open(restorePage);
      const dialog = page.getByRole('dialog', { name: 'Restore this?' });
      await page.getByRole('button', { name: 'Review and restore' }).click();
      // Who has it open does not matter as long as it stays; that it stands in the way does.
      await dialog.getByText(`${file} · is there already, and stops the restore unless it is empty`).waitFor();
      expect(await dialog.getByRole('button', { name: 'Start restore' }).isDisabled()).toBe(false);
      await check();
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      await page.getByLabel('Replace databases that exist').check();
      await page.getByRole('button', { name: 'Review and restore' }).click();
      await dialog.getByText('1 session is connected').waitFor();
      await dialog.getByText(`sleep (${holder.pid})`).waitFor();
      await dialog.getByLabel(/Type “shop” to confirm/).fill('shop');
      expect(await dialog.getByRole('button', { name: 'Start restore' }).isDisabled()).toBe(true);
      await check();
      const gone = new Promise((resolve) => holder.once('exit', resolve));
      holder.kill('SIGKILL');
      await gone;
      await dialog.getByRole('button', { name: 'Ask again' }).click();
      await expect.poll(() => dialog.getByRole('button', { name: 'Start restore' }).isDisabled()).toBe(false);
    } finally {
      holder.kill('SIGKILL');
    }
  });

  it('is replaced once its loss was confirmed by name', async () => {
    change("DELETE FROM customers; INSERT INTO customers VALUES ('Mallory')");
    await open(restorePage);
    await page.getByLabel('Replace databases that exist').check();
    await page.getByRole('button', { name: 'Review and restore' }).click();
    const dialog = page.getByRole('dialog', { name: 'Restore this?' });
    await dialog.getByText('This replaces the databases of the backup “shop”').waitFor();
    await dialog.getByText(`${file} · is replaced`).waitFor();
    await check();
    const start = dialog.getByRole('button', { name: 'Start restore' });
    expect(await start.isDisabled()).toBe(true);
    await dialog.getByLabel(/Type “shop” to confirm/).fill('shop');
    expect(await dialog.getByLabel('First back up what is there').isChecked()).toBe(true);
    await start.click();
    await page.getByText('Everything was restored').waitFor();
    expect(names(file)).toEqual(['Ada', 'Grace']);
    await check();
    // What it replaced is one click away, and comes back like any other backup.
    await page.getByRole('link', { name: /^Run \d+/ }).click();
    await page.getByText('before a restore').waitFor();
    expect(problems).toEqual([]);
  });

  it('goes into a server of another version once that was accepted', async () => {
    const keys = rdbBytes(0xfe, 0, rdbKey(0, rdbText('v')));
    const fake = await startFakeRedis(makeRdb(keys, 'REDIS0010', '6.2.1'), 'redis_version:7.4.1');
    try {
      const extraConfig = { dbHost: '127.0.0.1', dbPort: fake.port };
      const body = { name: 'cache', type: 'redis', storageTargetIds: [targetId], extraConfig };
      const task = await master.client.call<{ id: number }>('POST', '/api/backup/tasks', body);
      const run = await master.client.call<BackupRecord>('POST', `/api/backup/tasks/${task.id}/run`);
      const record = await waitForRecord(master.client, run.id);
      expect([record.errorMessage, record.status]).toEqual(['', 'success']);
      await open(`/restore/${task.id}/${record.id}`);
      await page.getByRole('button', { name: 'Review and restore' }).click();
      const dialog = page.getByRole('dialog', { name: 'Restore this?' });
      await dialog.getByText('The backup is of Redis 6.2.1, and would go to Redis 7.4.1.').waitFor();
      await dialog.getByText('The server is newer').waitFor();
      const start = dialog.getByRole('button', { name: 'Start restore' });
      expect(await start.isDisabled()).toBe(true);
      await check();
      await dialog.getByLabel('Restore into this version all the same').check();
      await expect.poll(() => start.isDisabled()).toBe(false);
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      expect(await page.getByLabel('Accept another version').isChecked()).toBe(true);
      expect(problems).toEqual([]);
    } finally {
      fake.close();
    }
  });
});
