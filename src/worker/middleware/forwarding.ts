import type { IncomingHttpHeaders } from 'node:http';

/** What proxies and delivery networks add, beside everything that begins with X-Forwarded. */
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

/** @returns whether a request says that a proxy has passed it on. Anybody can say so: it only ever takes trust away. */
export function isForwarding(headers: IncomingHttpHeaders): boolean {
  for (const name in headers) if (NAMES.has(name) || name.startsWith(PREFIX)) return true;
  return false;
}
