import type { IncomingHttpHeaders } from 'node:http';

/** Headers that proxies and CDNs add, beside all that begin with X-Forwarded. */
const NAMES: ReadonlySet<string> = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-forwarded-for',
  'x-original-host',
  'x-envoy-external-address',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  'fly-client-ip',
]);
const PREFIX = 'x-forwarded';

/** @returns whether the headers name a proxy as forwarder. Anybody can send them, so they only ever reduce trust. */
export function isForwarding(headers: IncomingHttpHeaders): boolean {
  for (const name in headers) if (NAMES.has(name) || name.startsWith(PREFIX)) return true;
  return false;
}
