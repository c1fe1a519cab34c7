import t from 'tap';
import { features } from '../../../src/features/features.ts';
import { startApp } from '../../support/app.ts';
import { chromiumPath, openPage } from '../../support/browser.ts';
import { describedBy } from '../../support/described.ts';

t.test(
  'in a real browser the page shows every operation, and can try one out',
  { skip: chromiumPath === undefined && 'no Chromium on this machine; CHROMIUM_BIN names one' },
  async (t) => {
    const app = await startApp(t);
    const { page, complaints, requested } = await openPage(t);
    await page.goto(`http://127.0.0.1:${app.port}/docs`);
    await page.locator('.opblock').first().waitFor();
    const { document } = await describedBy(features);
    const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods));
    t.equal(await page.locator('.opblock').count(), operations.length);

    const health = page.locator('#operations-health-getHealth');
    await health.locator('.opblock-summary-control').click();
    await health.getByRole('button', { name: 'Try it out' }).click();
    await health.getByRole('button', { name: 'Execute' }).click();
    await health.locator('.live-responses-table', { hasText: '"service": "online"' }).waitFor();

    t.same(complaints, [], 'its policy forbids nothing that the page does');
    const elsewhere = requested.filter(
      (url) => !url.startsWith(`http://127.0.0.1:${app.port}/`) && !url.startsWith('data:'),
    );
    t.same(elsewhere, [], 'nothing is asked of anybody else');
  },
);
