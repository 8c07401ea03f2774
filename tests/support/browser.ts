/** Debian's Chromium, headless, driven by playwright-core; pages that fail a test when the console reports an error. */
import { existsSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const candidates = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export function launchBrowser(): Promise<Browser> {
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

export interface ContextOptions {
  readonly theme?: 'light' | 'dark';
  readonly language?: 'en' | 'zh-CN';
  readonly width?: number;
  readonly height?: number;
}

export function openContext(browser: Browser, options: ContextOptions = {}): Promise<BrowserContext> {
  return browser.newContext({
    viewport: { width: options.width ?? 1280, height: options.height ?? 860 },
    colorScheme: options.theme ?? 'light',
    locale: options.language ?? 'en-US',
    timezoneId: 'Europe/Berlin',
    reducedMotion: 'reduce',
  });
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

/** Serious and critical findings of axe on the page as it stands. */
export async function findAccessibilityProblems(page: Page): Promise<string[]> {
  const result = await new AxeBuilder({ page }).analyze();
  return result.violations
    .filter((violation) => violation.impact === 'serious' || violation.impact === 'critical')
    .map(
      (violation) =>
        `${violation.id}: ${violation.help} (${violation.nodes
          .map((node) => node.target.join(' '))
          .slice(0, 3)
          .join('; ')})`,
    );
}
