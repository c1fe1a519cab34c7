import type { Page } from 'playwright-core';
import { chromiumPath } from '../../support/browser.ts';

export const skip = chromiumPath === undefined && 'no Chromium on this machine; CHROMIUM_BIN names one';

/** Waits until the page shows a process as ready, under another pid than this one. @returns its pid */
export async function pidOf(page: Page, name: string, otherThan = 'none'): Promise<string> {
  const facts = page
    .locator(`[data-name="${name}"][data-state="ready"] .facts`, { hasText: /pid \d+/ })
    .filter({ hasNotText: `pid ${otherThan} ` });
  return /pid (\d+)/.exec((await facts.textContent()) ?? '')![1]!;
}
