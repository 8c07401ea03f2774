/** What moves while nobody reloads: progress of a run, its cancelling, a master that goes away and comes back. */

import { rmSync, writeFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openContext, signIn, watchPage } from '../support/browser.ts';
import { makeNoise, makeTree } from '../support/make-tree.ts';
import { adminLogin, createLocalTarget, createTask, type Master, startMaster } from '../support/master.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('live');
let master: Master;
let browser: Browser;
let page: Page;
let problems: string[];

/** At 1 MB/s it keeps a run going for most of a minute: longer than anybody looks at it. */
const ballast = work.at('source', 'ballast');

/** About 9 MB of noise beside the ballast. */
beforeAll(async () => {
  process.env.BACKUPX_BACKUP_BANDWIDTH_LIMIT = '1MB';
  makeTree(work.at('source'), { files: 200, seed: 4 });
  writeFileSync(ballast, makeNoise(45_000_000, 4));
  browser = await launchBrowser();
  master = await startMaster(work.path);
  const target = await createLocalTarget(master.client, work.at('store'));
  await createTask(master.client, {
    name: 'slow',
    sourcePaths: [work.at('source')],
    storageTargetIds: [target.id],
  });
  page = await (await openContext(browser)).newPage();
  problems = watchPage(page, master.url);
  await signIn(page, master.url, adminLogin);
});
afterAll(async () => {
  delete process.env.BACKUPX_BACKUP_BANDWIDTH_LIMIT;
  await browser?.close();
  await master?.stop();
  work.remove();
});

async function startRun(): Promise<void> {
  await page.goto(`${master.url}/tasks`);
  await page.getByRole('button', { name: 'Run slow now' }).click();
  await page.getByRole('button', { name: 'Cancel run' }).waitFor();
}

/** Waits until a figure of the progress card matches. */
async function waitForFigure(label: string, pattern: RegExp): Promise<string> {
  const handle = await page.waitForFunction(
    ([name, source]) => {
      const term = [...document.querySelectorAll('main dt')].find((one) => one.textContent === name);
      const text = term?.nextElementSibling?.textContent ?? '';
      return new RegExp(source).test(text) ? text : null;
    },
    [label, pattern.source] as const,
  );
  return String(await handle.jsonValue());
}

describe('a run that is under way', () => {
  it('shows files, bytes and speed, and they move without a reload', async () => {
    await startRun();
    await page.evaluate(() => Object.assign(window, { notReloaded: true }));
    await waitForFigure('Items', /[1-9]/);
    await waitForFigure('Data', /[1-9].*B/);
    await waitForFigure('Speed', /[1-9].*\/s/);
    const stored = await waitForFigure('Stored', /[1-9]/);
    await page.waitForFunction((before) => {
      const term = [...document.querySelectorAll('main dt')].find((one) => one.textContent === 'Stored');
      return term !== undefined && term.nextElementSibling?.textContent !== before;
    }, stored);
    expect(await page.getByRole('progressbar', { name: 'Progress' }).count()).toBe(1);
    await page
      .getByRole('log')
      .getByText(/Backing up/)
      .waitFor();
    expect(await page.evaluate(() => 'notReloaded' in window)).toBe(true);
  });

  it('is shown on the overview too', async () => {
    await page.getByRole('link', { name: 'Overview' }).first().click();
    await page.getByRole('heading', { name: 'Running now' }).waitFor();
    await page.getByRole('progressbar', { name: 'Progress' }).waitFor();
    await page.goBack();
  });

  it('is cancelled from its page', async () => {
    await page.getByRole('button', { name: 'Cancel run' }).click();
    await page.getByText('This run was cancelled. Nothing was stored.').waitFor();
    await page.getByRole('button', { name: 'Run again' }).waitFor();
    expect(problems).toEqual([]);
  });
});

describe('a master that goes away', () => {
  it('is missed visibly, and met again without a reload or a new sign-in', async () => {
    await startRun();
    await waitForFigure('Stored', /[1-9]/);
    await page.evaluate(() => Object.assign(window, { notReloaded: true }));
    await master.stop('SIGKILL');
    await page.getByText('Live updates paused.').waitFor();
    await master.restart();
    await page.getByText('Live updates paused.').waitFor({ state: 'hidden' });
    // The run died with the master: the page must say so by itself.
    await page.getByText('Interrupted').first().waitFor();
    expect(await page.evaluate(() => 'notReloaded' in window)).toBe(true);
    rmSync(ballast);
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.getByRole('button', { name: 'Cancel run' }).waitFor();
    await page.getByText('Everything was backed up').waitFor();
    expect(problems).toEqual([]);
  });
});
