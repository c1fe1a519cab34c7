import { test } from 'node:test';
import { holdTrial } from 'ninelives/testing';
import { notes } from '../chaos/notes.ts';

// A second, or a round, of each; `npm run chaos` has all of them at length.
for (const name of ['writer-killed', 'machine-lost']) {
  test(`nothing that was acknowledged is lost: ${name}`, async () => {
    await holdTrial(name, notes, { size: 1 });
  });
}
