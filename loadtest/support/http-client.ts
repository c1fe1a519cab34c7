import http from 'node:http';
import https from 'node:https';

/** The key is in the environment, because everybody on the machine sees arguments. */
export const KEY_VARIABLE = 'LOADTEST_KEY';

/** @returns Node's client for the protocol of a URL */
export function clientOf(url: string): Pick<typeof http, 'request' | 'Agent'> {
  return new URL(url).protocol === 'https:' ? https : http;
}

/** @returns the header with the key; none unless LOADTEST_KEY is set */
export function authorization(): Readonly<Record<string, string>> {
  const key = process.env[KEY_VARIABLE];
  return key === undefined || key === '' ? {} : { Authorization: `Bearer ${key}` };
}
