import { fileURLToPath } from 'node:url';
import { packageIn } from './folder.js';

/** Of this project, read when this process started: what is on disk may be newer by now. */
export const version: string = packageIn(fileURLToPath(new URL('../..', import.meta.url))).version;
