export const ENTRY = new URL('../../src/bin.js', import.meta.url).pathname;
