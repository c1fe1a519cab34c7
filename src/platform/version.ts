import { fileURLToPath } from 'node:url';
import { packageIn } from './folder.js';

/** The version of ninelives, read when this process started: the files on disk may be newer by now. */
export const version: string = packageIn(fileURLToPath(new URL('../..', import.meta.url))).version;
