import { defineApp } from '../../src/contract/app.ts';
import { files } from './files/feature.ts';
import { notes } from './notes/feature.ts';

/** What the tests of the chassis run on: as little as shows all that an app can be. */
export default defineApp({
  title: 'Small',
  description: 'Notes and files.',
  features: [notes, files],
});
