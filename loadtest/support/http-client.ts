import http from 'node:http';
import https from 'node:https';

/** @returns Node's client for the protocol of a URL */
export function clientOf(url: string): Pick<typeof http, 'request' | 'Agent'> {
  return new URL(url).protocol === 'https:' ? https : http;
}
