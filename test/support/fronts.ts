import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import { until } from './system.ts';

/** A proxy with TLS in front of a server, as the project's configuration has it. */
export interface Front {
  readonly name: 'nginx' | 'caddy';
  /** Whether it can send a request again that has a body. */
  readonly keepsBodies: boolean;
  /** The configuration as it stands. */
  readonly config: string;
  /**
   * Starts the real one with it, only its names, addresses and files changed; it ends with the test.
   * @param serverPort where the system listens
   * @param change of the configuration, beside
   */
  start(t: Test, folder: string, serverPort: number, change?: (config: string) => string): Promise<Started>;
}

export interface Started {
  readonly port: number;
  /** Everything that it has logged, wherever it goes. */
  log(): string;
}

const nginxConfig = readFileSync(new URL('../../config/nginx.conf', import.meta.url), 'utf8');
const caddyConfig = readFileSync(new URL('../../config/Caddyfile', import.meta.url), 'utf8');

export const fronts: readonly Front[] = [
  {
    name: 'nginx',
    keepsBodies: true,
    config: nginxConfig,
    async start(t, folder, serverPort, change = (config) => config) {
      const [port, plainPort] = [await freePort(), await freePort()];
      const { key, certificate } = makeCertificate(folder);
      const logs = ['access.log', 'error.log', 'site-error.log'].map((name) => join(folder, name));
      const site = replaced(change(nginxConfig), [
        ['listen 80;', `listen 127.0.0.1:${plainPort};`],
        ['    listen [::]:80;\n', ''],
        ['listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`],
        ['    listen [::]:443 ssl http2;\n', ''],
        ['/etc/nginx/ninelives.crt', certificate],
        ['/etc/nginx/ninelives.key', key],
        ['/var/log/nginx/ninelives.log', logs[0]!],
        ['/var/log/nginx/ninelives-error.log', logs[2]!],
      ]).replaceAll('127.0.0.1:8080', `127.0.0.1:${serverPort}`);
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${join(folder, name)};`,
      );
      const main = `daemon off; master_process off; pid ${join(folder, 'nginx.pid')}; error_log ${logs[1]} info;
events {}
http { ${temporary.join(' ')} include ${join(folder, 'site.conf')}; }
`;
      writeFileSync(join(folder, 'site.conf'), site);
      writeFileSync(join(folder, 'nginx.conf'), main);
      const child = spawn('nginx', ['-e', logs[1]!, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
      await serving(t, child, logs[1]!, plainPort, port);
      return { port, log: () => logs.map(readOrEmpty).join('') };
    },
  },
  {
    name: 'caddy',
    keepsBodies: false,
    config: caddyConfig,
    async start(t, folder, serverPort, change = (config) => config) {
      const port = await freePort();
      const { key, certificate } = makeCertificate(folder);
      const logs = ['access.log', 'stderr.log'].map((name) => join(folder, name));
      const config = replaced(change(caddyConfig), [
        // No port 80, no administration, no files but here.
        ['{\n\tservers {', `{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {`],
        ['\tlog default {', `\tlog default {\n\t\toutput file ${logs[1]}`],
        ['api.example.org {', `https://localhost:${port} {\n\ttls ${certificate} ${key}`],
        ['/var/log/caddy/ninelives.log', logs[0]!],
      ]).replaceAll('127.0.0.1:8080', `127.0.0.1:${serverPort}`);
      const path = join(folder, 'Caddyfile');
      writeFileSync(path, config);
      const child = spawn('caddy', ['run', '--config', path, '--adapter', 'caddyfile'], {
        stdio: 'ignore',
        env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
      });
      await serving(t, child, logs[1]!, port);
      return { port, log: () => logs.map(readOrEmpty).join('') };
    },
  },
];

/** Waits until it listens. */
async function serving(
  t: Test,
  child: ChildProcess,
  log: string,
  ...ports: readonly number[]
): Promise<void> {
  t.teardown(async () => {
    if (child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  });
  const { connect } = await import('node:net');
  const isListening = (port: number) =>
    new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.once('error', () => resolve(false));
      socket.once('connect', () => resolve(true)).once('connect', () => socket.destroy());
    });
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${readOrEmpty(log)}`);
    return (await Promise.all(ports.map(isListening))).every(Boolean);
  }, 'it listens');
}

function replaced(config: string, pairs: readonly (readonly [string, string])[]): string {
  return pairs.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the configuration has no ${from}`);
    return text.replace(from, to);
  }, config);
}

function makeCertificate(folder: string): { key: string; certificate: string } {
  mkdirSync(folder, { recursive: true });
  const [key, certificate] = [join(folder, 'site.key'), join(folder, 'site.crt')];
  const words = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const { status, stderr } = spawnSync('openssl', [...words, ...name, '-keyout', key, '-out', certificate]);
  if (status !== 0) throw new Error(`no certificate: ${stderr}`);
  return { key, certificate };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
