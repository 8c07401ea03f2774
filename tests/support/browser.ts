/** Debian's Chromium, headless, driven by playwright-core, and what every page of the console must keep to. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import { root } from './start-program.ts';

const candidates = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Starts Chromium; refuses when there is none, or when there is no built console to look at. */
export async function launchBrowser(): Promise<Browser> {
  if (!existsSync(path.join(root, 'apps', 'web', 'dist', 'index.html')))
    throw new Error('apps/web/dist is missing: build the console first with `npm run build`');
  const executablePath = candidates.find((candidate) => existsSync(candidate));
  if (!executablePath)
    throw new Error(`no Chromium found (looked for ${candidates.join(', ')}); run tests/install-peers.sh`);
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Cookies and local storage of a context, to open others as the same user. */
export type SavedSession = Awaited<ReturnType<BrowserContext['storageState']>>;

export interface ContextOptions {
  readonly theme?: 'light' | 'dark';
  readonly language?: 'en' | 'zh-CN';
  readonly width?: number;
  readonly height?: number;
  /** Signed in from the start. */
  readonly session?: SavedSession;
}

export async function openContext(browser: Browser, options: ContextOptions = {}): Promise<BrowserContext> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1280, height: options.height ?? 860 },
    colorScheme: options.theme ?? 'light',
    locale: options.language ?? 'en-US',
    timezoneId: 'Europe/Berlin',
    reducedMotion: 'reduce',
    storageState: options.session,
  });
  // A busy machine is no failure.
  context.setDefaultTimeout(60_000);
  return context;
}

/** Signs in through the login page (English) and waits for the console. */
export async function signIn(page: Page, url: string, login: { username: string; password: string }): Promise<void> {
  await page.goto(url);
  await page.getByLabel('User name').fill(login.username);
  await page.getByLabel('Password').fill(login.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor({ state: 'attached' });
}

/** The session of one user, to be handed to `openContext`. */
export async function saveSession(
  browser: Browser,
  url: string,
  login: { username: string; password: string },
): Promise<SavedSession> {
  const context = await openContext(browser);
  await signIn(await context.newPage(), url, login);
  const session = await context.storageState();
  await context.close();
  return session;
}

/** Waits until the page shows its content instead of grey lines; a failure tells what is shown. */
export async function waitUntilLoaded(page: Page): Promise<void> {
  const isLoaded = (): boolean => {
    const main = document.querySelector('main');
    return main !== null && main.innerText.trim() !== '' && document.querySelector('.skeleton') === null;
  };
  try {
    await page.waitForFunction(isLoaded);
  } catch (error) {
    throw new Error(`${page.url()} does not load; it shows: ${await page.locator('body').innerText()}`, {
      cause: error,
    });
  }
}

/** Waits until what is found has the focus, which moves there after it is shown. */
export async function waitForFocus(found: Locator): Promise<void> {
  await found.waitFor();
  const element = await found.elementHandle();
  await found.page().waitForFunction((one) => one === document.activeElement, element);
}

/** Problems the page itself reported: uncaught errors, and requests that left the machine. */
export function watchPage(page: Page, origin: string): string[] {
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:') && !url.startsWith('blob:'))
      problems.push(`request to ${url}`);
  });
  return problems;
}

/**
 * Serious and critical findings of axe on the page as it stands. Run in the page itself, which has no frames: a driver
 * that looks for frames opens another page each time and takes five times as long.
 */
export async function findAccessibilityProblems(page: Page): Promise<string[]> {
  if (page.frames().length > 1) throw new Error(`${page.url()} has frames, into which axe would not look`);
  await page.evaluate(axe.source);
  const problems = await page.evaluate(async () => {
    // The one that the line above has put into the page, not the one imported here.
    const { axe: inPage } = window as unknown as { axe: { run: typeof axe.run } };
    const { violations } = await inPage.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, help, impact, nodes }) => ({
      impact,
      text: `${id}: ${help} (${nodes
        .slice(0, 3)
        .map((node) => node.target.join(' '))
        .join('; ')})`,
    }));
  });
  return problems.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ text }) => text);
}

/** What sticks out to the right, when the page can be scrolled sideways. */
export async function findSidewaysScroll(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { scrollWidth } = document.documentElement;
    if (scrollWidth <= innerWidth) return [];
    const wide = [...document.querySelectorAll('body *')].filter(
      (element) => element.getBoundingClientRect().right > innerWidth + 1,
    );
    return [`${scrollWidth} px wide: ${wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 120))}`];
  });
}

/** Every text node and every text of an attribute that is read out, but those marked as another language. */
export async function readTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const own = document.documentElement.lang;
    const isOwn = (element: Element | null): boolean => element?.closest('[lang]')?.getAttribute('lang') === own;
    const texts = [document.title];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (isOwn(node.parentElement) && !node.parentElement?.matches('script,style')) texts.push(node.nodeValue ?? '');
    }
    for (const element of document.querySelectorAll('[aria-label],[title],[placeholder]')) {
      const names = isOwn(element) ? ['aria-label', 'title', 'placeholder'] : [];
      texts.push(...names.map((name) => element.getAttribute(name) ?? ''));
    }
    return texts.map((text) => text.trim()).filter((text) => text !== '');
  });
}
