import { isIP } from 'node:net';
import type { FieldError } from '../platform/errors.ts';

const HOST_AND_PORT = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i;
const PORT_MAX = 65_535;
const PEER_NAMES = ['PEER_URL', 'PEER_LISTEN', 'PEER_SECRET'] as const;

/** Where this system answers the other one; an IPv6 address has no brackets here. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

type Given = Readonly<Partial<Record<(typeof PEER_NAMES)[number], string | undefined>>> & {
  readonly FAILOVER: 'off' | 'lease';
};

/** @returns the address; undefined when the text is not a valid one */
export function parsePeerAddress(text: string): PeerAddress | undefined {
  const [, ipv6, name, digits] = HOST_AND_PORT.exec(text) ?? [];
  const host = ipv6 ?? name;
  const port = Number(digits);
  if (host === undefined || port === 0 || port > PORT_MAX) return undefined;
  return ipv6 !== undefined && isIP(ipv6) !== 6 ? undefined : { host, port };
}

/** @returns the mistakes in the settings of a system with a standby */
export function failoverErrors(given: Given, replica: 'file' | 's3'): FieldError[] {
  const { FAILOVER, PEER_LISTEN } = given;
  const errors: FieldError[] = [];
  if (PEER_LISTEN !== undefined && parsePeerAddress(PEER_LISTEN) === undefined)
    errors.push({ field: 'PEER_LISTEN', message: 'expected an address with a port, such as 10.0.0.1:8081' });
  if (FAILOVER === 'off') return errors;
  if (replica === 'file')
    errors.push({
      field: 'FAILOVER',
      message:
        'expected off, because REPLICA_URL is a folder: two machines decide who leads in a store of S3 (REPLICA_URL=s3://bucket/prefix)',
    });
  // With only a part of them one system could ask and get no answer, which would show only in an outage of the store.
  const missing = PEER_NAMES.filter((name) => given[name] === undefined);
  if (missing.length < PEER_NAMES.length)
    for (const field of missing)
      errors.push({
        field,
        message: 'expected a value, because another PEER_ setting has one: all three, or none',
      });
  return errors;
}
