/** What the browser really fetches, compressed, before login and overview stand. The limits are those of the design. */
import { gzipSync } from 'node:zlib';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openContext, saveSession, waitUntilLoaded } from '../support/browser.ts';
import { adminLogin, createLocalTarget, createTask, type Master, startMaster } from '../support/master.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('budget');
let master: Master;
let browser: Browser;
let context: BrowserContext | undefined;

beforeAll(async () => {
  browser = await launchBrowser();
  master = await startMaster(work.path);
  const target = await createLocalTarget(master.client, work.at('store'));
  await createTask(master.client, { name: 'web-files', sourcePaths: [work.path], storageTargetIds: [target.id] });
});
afterAll(async () => {
  await context?.close();
  await browser?.close();
  await master?.stop();
  work.remove();
});

interface Weight {
  scripts: number;
  styles: number;
  readonly encodings: Set<string>;
}

/** Adds up what the page fetches from now on, as gzip would send it. */
function weigh(page: Page): { settle(): Promise<Weight> } {
  const weight: Weight = { scripts: 0, styles: 0, encodings: new Set() };
  const bodies: Promise<void>[] = [];
  page.on('response', (response) => {
    const type = response.request().resourceType();
    if (type !== 'script' && type !== 'stylesheet') return;
    const add = async (): Promise<void> => {
      const size = gzipSync(await response.body()).length;
      if (type === 'script') weight.scripts += size;
      else weight.styles += size;
      weight.encodings.add((await response.headerValue('content-encoding')) ?? 'none');
    };
    const added = add();
    // What comes after the weighing may be cut off by the end of the page.
    added.catch(() => undefined);
    bodies.push(added);
  });
  return {
    async settle() {
      await Promise.all(bodies);
      return weight;
    },
  };
}

const KB = 1000;

describe('the console', () => {
  it('brings at most 90 kB of script to the login and 20 kB of style, compressed on the wire', async () => {
    context = await openContext(browser);
    const page = await context.newPage();
    const weighing = weigh(page);
    await page.goto(master.url);
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    const { scripts, styles, encodings } = await weighing.settle();
    expect(scripts).toBeGreaterThan(10 * KB);
    expect(scripts).toBeLessThanOrEqual(90 * KB);
    expect(styles).toBeGreaterThan(KB);
    expect(styles).toBeLessThanOrEqual(20 * KB);
    expect([...encodings].every((encoding) => ['gzip', 'br', 'zstd'].includes(encoding))).toBe(true);
    await context.close();
  });

  it('brings at most 180 kB of script to the overview', async () => {
    context = await openContext(browser, { session: await saveSession(browser, master.url, adminLogin) });
    const page = await context.newPage();
    const weighing = weigh(page);
    await page.goto(master.url);
    await page.getByRole('heading', { name: 'Protection by task' }).waitFor();
    await waitUntilLoaded(page);
    const { scripts } = await weighing.settle();
    expect(scripts).toBeGreaterThan(50 * KB);
    expect(scripts).toBeLessThanOrEqual(180 * KB);
  });
});
