import { readFileSync } from 'node:fs';

/** Of this project, read when this process started: what is on disk may be newer by now. */
export const version: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version;
