import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { Test } from 'tap';

/** Where a Chromium is found on common systems; CHROMIUM_BIN names another. */
const PLACES = [
  process.env.CHROMIUM_BIN,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/** The Chromium of this machine, or undefined: then there is nothing to test a page in. */
export const chromiumPath = PLACES.find((path) => path !== undefined && existsSync(path));

export interface OpenedPage {
  readonly page: Page;
  /** What the browser complained of: errors on its console, such as of the policy, and failed requests. */
  readonly complaints: readonly string[];
  /** Every URL that it asked for. */
  readonly requested: readonly string[];
}

/** Opens a real browser with one page, which ends with the test. */
export async function openPage(t: Test): Promise<OpenedPage> {
  // Its sandbox cannot be had as root or in a container; what it shows is ours.
  const browser: Browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const page = await browser.newPage();
  const complaints: string[] = [];
  const requested: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(request.url()));
  page.on('request', (request) => requested.push(request.url()));
  return { page, complaints, requested };
}
