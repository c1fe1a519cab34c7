import { readFileSync } from 'node:fs';
import type { Agent } from 'node:http';
import { createRequire } from 'node:module';
import { BlockList, isIP } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { Failure } from '../../platform/errors.ts';
import { fileStamp } from '../../platform/file-stamp.ts';
import { isLoopbackHost } from '../../platform/loopback.ts';
import { http, https } from '../../platform/node-http.ts';

const require = createRequire(import.meta.url);

/** Variables that name files with certificates of authorities, beside those that the system trusts. */
const AUTHORITY_VARIABLES = ['SSL_CERT_FILE', 'AWS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'] as const;

/** The environment variables that decide how a store is reached. */
export const REACH_VARIABLES = [
  ...AUTHORITY_VARIABLES,
  'SSL_CERT_DIR',
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
] as const;

/** The settings that say where a store is. */
export type StoreSettings = Pick<Config, 'S3_ENDPOINT' | 'S3_ADDRESSING' | 'AWS_REGION'>;

/** @returns whether the bucket is a part of the path, and not of the host; Litestream is told the same */
export function isPathStyle({ S3_ADDRESSING, S3_ENDPOINT }: StoreSettings): boolean {
  return S3_ADDRESSING === 'path' || (S3_ADDRESSING === 'auto' && S3_ENDPOINT !== undefined);
}

/** @returns the URL of a store, without the bucket */
export function storeUrl({ S3_ENDPOINT, AWS_REGION }: StoreSettings): URL {
  const domain = AWS_REGION.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  return new URL(S3_ENDPOINT ?? `https://s3.${AWS_REGION}.${domain}`);
}

/**
 * @returns the proxy for a request, by the rules of Litestream's HTTP client: a name in NO_PROXY covers its subdomains,
 *   too, NO_PROXY may name a network, and this machine is asked directly
 * @throws Failure config_invalid for a kind of proxy that only Litestream may support
 * @see https://pkg.go.dev/golang.org/x/net/http/httpproxy
 */
export function proxyOf({ protocol, hostname, port }: URL, env: NodeJS.ProcessEnv): string | undefined {
  const read = (name: string) => env[name] || env[name.toLowerCase()];
  const variable = protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const proxy = read(variable);
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (proxy === undefined || isLoopbackHost(host)) return undefined;
  const ownPort = port || (protocol === 'https:' ? '443' : '80');
  const isDirect = (read('NO_PROXY') ?? '').split(',').some((text) => {
    const entry = text.trim().toLowerCase();
    if (entry === '*') return true;
    if (entry.includes('/')) return isWithin(host, entry);
    const [, name = '', entryPort] =
      /^\[?(.*?)\]?(?::(\d+))?$/.exec(isIP(entry) ? `[${entry}]` : entry) ?? [];
    if (name === '' || (entryPort !== undefined && entryPort !== ownPort)) return false;
    const suffix = name.replace(/^\*(?=\.)/, '');
    return suffix.startsWith('.') ? host.endsWith(suffix) : host === name || host.endsWith(`.${name}`);
  });
  if (isDirect) return undefined;
  const full = /^\w+:\/\//.test(proxy) ? proxy : `http://${proxy}`;
  // The value may hold a password, so the message does not show it.
  if (!/^https?:$/.test(URL.parse(full)?.protocol ?? ''))
    throw new Failure(
      'config_invalid',
      `${variable} names a proxy that cannot be used: expected http://host:port or https://host:port`,
    );
  return full;
}

function isWithin(host: string, network: string): boolean {
  const [address = '', bits] = network.split('/');
  const version = isIP(address);
  if (version === 0 || isIP(host) === 0 || !/^\d{1,3}$/.test(bits ?? '')) return false;
  const family = (ip: string) => (isIP(ip) === 4 ? 'ipv4' : 'ipv6');
  try {
    const list = new BlockList();
    list.addSubnet(address, Number(bits), family(address));
    return list.check(host, family(host));
  } catch {
    return false;
  }
}

/**
 * @returns the certificates of authorities that variables name, as PEM; undefined where none does
 * @throws Failure config_invalid when a file cannot be read, or holds no certificate
 */
export function namedAuthorities(env: NodeJS.ProcessEnv): string | undefined {
  const texts = AUTHORITY_VARIABLES.flatMap((name) => {
    const path = env[name];
    if (!path) return [];
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (cause) {
      const { message } = cause as Error;
      throw new Failure('config_invalid', `${name} names a file that cannot be read: ${message}`, { cause });
    }
    if (text.trim() !== '' && !/^-----BEGIN [A-Z\d ]*CERTIFICATE-----/m.test(text))
      throw new Failure('config_invalid', `${name} names a file without a certificate in PEM: ${path}`);
    return [text];
  });
  return texts.length === 0 ? undefined : texts.join('\n');
}

/** @returns what changes with the files of authorities and credentials, which a client reads once */
export function stampOfFiles(env: NodeJS.ProcessEnv): string {
  const { AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE } = env;
  const profiles = join(homedir(), '.aws');
  const paths = [
    ...AUTHORITY_VARIABLES.map((name) => env[name]),
    AWS_SHARED_CREDENTIALS_FILE || join(profiles, 'credentials'),
    AWS_CONFIG_FILE || join(profiles, 'config'),
  ];
  return paths.map((path) => (path ? fileStamp(path) : '')).join();
}

export interface AgentOptions {
  /** How many connections may be open at once. */
  readonly maxSockets?: number;
  /** Only for requests without anything that an impostor could use. */
  readonly takesAnyCertificate?: boolean;
}

/**
 * @returns an agent that connects to a store through the proxy that the environment names for it, and trusts the
 *   authorities that either Litestream or Node.js would trust
 */
export function agentFor(url: URL, env: NodeJS.ProcessEnv, options: AgentOptions = {}): Agent {
  const { maxSockets = 50, takesAnyCertificate = false } = options;
  const proxy = proxyOf(url, env);
  const common = {
    keepAlive: true,
    maxSockets,
    ...(proxy && { proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } }),
  };
  if (url.protocol !== 'https:') return new (http().Agent)(common);
  const { Agent } = https();
  if (takesAnyCertificate) return new Agent({ ...common, rejectUnauthorized: false });
  const { createSecureContext, getCACertificates } = require('node:tls') as typeof import('node:tls');
  const named = namedAuthorities(env);
  const ca = [...getCACertificates('system'), ...getCACertificates('bundled'), ...(named ? [named] : [])];
  return new Agent({ ...common, secureContext: createSecureContext({ ca }) });
}
