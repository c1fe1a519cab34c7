/** What the background processes of an app need. Public, as index.ts. */
export { type RepeatOptions, type Round, repeat } from './background/repeat.ts';
