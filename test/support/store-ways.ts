import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';

/** Listens on loopback as long as the test takes. @returns the port */
async function listen(t: Test, server: net.Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** Passes a request on to a store. @param bucket that is not in the path yet */
function pass(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  endpoint: string,
  bucket?: string,
): void {
  const { hostname, port, host } = new URL(endpoint);
  const { method = 'GET', url = '', headers } = request;
  // The test's store takes another host for the name of a bucket.
  const path = bucket === undefined ? url : `/${bucket}${url}`;
  const options = { hostname, port, method, path, headers: { ...headers, host }, agent: false };
  const passed = http.request(options, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.on('error', () => response.destroy()).pipe(response);
  });
  passed.on('error', () => response.destroy());
  request.on('error', () => passed.destroy()).pipe(passed);
}

/** As S3 answers an error. */
export function refuse(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  status: number,
  code: string,
): void {
  request.resume();
  response.writeHead(status, { 'Content-Type': 'application/xml' });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
  );
}

/** A gate before a store, which answers itself where `refusal` names a code. @returns its endpoint */
export async function gate(
  t: Test,
  endpoint: string,
  refusal: (request: http.IncomingMessage) => readonly [status: number, code: string] | undefined,
): Promise<string> {
  const server = http.createServer((request, response) => {
    const refused = refusal(request);
    if (refused) refuse(request, response, ...refused);
    else pass(request, response, endpoint);
  });
  return `http://127.0.0.1:${await listen(t, server)}`;
}

export interface TlsStore {
  readonly port: number;
  /** The file with the certificate of its authority. */
  readonly authority: string;
}

/** A store behind TLS, for 127.0.0.1, store.internal and all below that, by an authority of its own. */
export async function tlsStore(t: Test, endpoint: string, folder: string): Promise<TlsStore> {
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => {
    const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...key, '-subj', '/CN=An Authority', '-keyout', at('ca.key'), '-out', at('ca.pem'));
  openssl('req', ...key, '-subj', '/CN=store', '-keyout', at('store.key'), '-out', at('store.csr'));
  writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1,DNS:store.internal,DNS:*.store.internal\n');
  const signing = [
    '-req',
    '-in',
    at('store.csr'),
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-CAcreateserial',
  ];
  openssl('x509', ...signing, '-days', '2', '-extfile', at('names'), '-out', at('store.pem'));
  const identity = { key: readFileSync(at('store.key')), cert: readFileSync(at('store.pem')) };
  const server = https.createServer(identity, (request, response) => {
    const bucket = /^(.+)\.store\.internal(?::|$)/.exec(request.headers.host ?? '')?.[1];
    pass(request, response, endpoint, bucket);
  });
  return { port: await listen(t, server), authority: at('ca.pem') };
}

export interface ForwardProxy {
  readonly url: string;
  /** How often each host was asked for, with its port. */
  readonly counts: Map<string, number>;
}

/** A proxy as of a company: what nobody else resolves, it leads to one port of this machine. */
export async function forwardProxy(t: Test, port: number): Promise<ForwardProxy> {
  const counts = new Map<string, number>();
  const server = http.createServer((request, response) => refuse(request, response, 403, 'Forbidden'));
  server.on('connect', ({ url = '' }: http.IncomingMessage, client: Socket) => {
    counts.set(url, (counts.get(url) ?? 0) + 1);
    const store = net.connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      store.pipe(client).pipe(store);
    });
    const end = () => {
      store.destroy();
      client.destroy();
    };
    store.on('error', end).on('close', end);
    client.on('error', end).on('close', end);
  });
  return { url: `http://127.0.0.1:${await listen(t, server)}`, counts };
}

export interface MetadataService {
  readonly url: string;
  /** How many tokens it has handed out. */
  readonly handedOut: () => number;
  /** Whether it has handed a token out that has not expired. */
  readonly isValid: (token: string | undefined) => boolean;
}

/** Hands out credentials of a role as ECS and EC2 do, each for a moment only. */
export async function metadataService(t: Test, lifetimeMs: number): Promise<MetadataService> {
  const expiryMs: number[] = [];
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://any');
    request.resume();
    if (pathname === '/latest/api/token') {
      response.setHeader('X-Aws-Ec2-Metadata-Token-Ttl-Seconds', '21600');
      response.end('session');
    } else if (pathname === '/latest/meta-data/iam/security-credentials/') response.end('a-role');
    else if (/^\/(?:role|latest\/meta-data\/iam\/security-credentials\/a-role)$/.test(pathname)) {
      const atMs = Date.now() + lifetimeMs;
      expiryMs.push(atMs);
      response.setHeader('Content-Type', 'application/json');
      response.end(
        JSON.stringify({
          Code: 'Success',
          Type: 'AWS-HMAC',
          LastUpdated: new Date().toISOString(),
          AccessKeyId: 'S3RVER',
          SecretAccessKey: 'S3RVER',
          Token: `token-${expiryMs.length}`,
          Expiration: new Date(atMs).toISOString(),
        }),
      );
    } else response.writeHead(404).end();
  });
  return {
    url: `http://127.0.0.1:${await listen(t, server)}`,
    handedOut: () => expiryMs.length,
    isValid: (token) => (expiryMs[Number(/^token-(\d+)$/.exec(token ?? '')?.[1]) - 1] ?? 0) >= Date.now(),
  };
}
