import { defineApp } from '../contract/app.ts';
import { alerts } from './alerts/feature.ts';
import { images } from './images/feature.ts';

/** The application that ninelives ships. */
export default defineApp({
  title: 'ninelives',
  description: 'Reminders of movies by e-mail, with cover images.',
  features: [alerts, images],
});
