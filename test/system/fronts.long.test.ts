import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { Agent, request as send } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { KEEP_ALIVE_TIMEOUT_MS } from '../../src/worker/http-server.ts';
import { command } from '../cli/command.ts';
import { type Front, fronts } from '../support/fronts.ts';
import { noteOf } from '../support/http.ts';
import { type RunningSystem, startPair, temporaryFolder, until } from '../support/system.ts';
import { missing } from '../support/tools.ts';

const MIB = 1024 * 1024;
const KILLS = 3;
const KILL_INTERVAL_MS = 1000;
const CLIENTS = 6;
const json = { 'Content-Type': 'application/json' };
const keyed = { 'Idempotency-Key': '"one"' };

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

interface Call {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly agent?: Agent | false;
}

async function call(port: number, method: string, path: string, options: Call = {}): Promise<Answer> {
  const { headers = {}, body, agent = false } = options;
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const outgoing = send({
    host: '127.0.0.1',
    servername: 'localhost',
    rejectUnauthorized: false,
    port,
    method,
    path,
    headers: { Host: `localhost:${port}`, ...length, ...headers },
    agent,
  });
  outgoing.end(body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: answer.headers, text: await text(answer) };
}

/** A server that answers /warm and /echo, and closes its connection unanswered for all else, as a worker dies. */
async function dyingServer(t: Test): Promise<{ port: number; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const { method, url, headers, socket } = incoming;
    seen.push(`${method} ${url}`);
    const body = await text(incoming).catch(() => '');
    if (url === '/warm') outgoing.end();
    else if (url === '/echo') outgoing.end(JSON.stringify({ headers, bodyBytes: body.length }));
    else socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  t.teardown(() => server.closeAllConnections());
  return { port: (server.address() as { port: number }).port, seen };
}

function install(front: Front): string | false {
  return missing(front.name === 'nginx' ? 'nginx' : 'caddy') || missing('openssl');
}

let system: RunningSystem;
let key: { readonly Authorization: string };

t.before(async () => {
  system = await startPair(t, { RATE_LIMIT_KEY_PER_MINUTE: '1000000', TRUSTED_PROXIES: '127.0.0.1' });
  const made = await command(['keys', 'create', '--name', 'a', '--scope', 'admin'], {
    DATA_DIR: system.dataDir,
  });
  key = { Authorization: `Bearer ${made.stdout.trim()}` };
});

for (const front of fronts) {
  const skip = install(front);

  t.test(
    `${front.name} sends a request again when it reads or has a key, and else never`,
    { skip },
    async (t) => {
      const server = await dyingServer(t);
      const { port } = await front.start(t, temporaryFolder(t), server.port);
      const tries = async (method: string, headers: Record<string, string>, isWarm: boolean) => {
        const path = `/${method}-${Object.keys(headers).length}-${isWarm}`;
        // By one connection, so that what it has kept to the server is used next.
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        if (isWarm) await call(port, 'GET', '/warm', { agent });
        const body = method === 'POST' || method === 'PUT' ? { body: '{}' } : {};
        const { status } = await call(port, method, path, { headers, agent, ...body });
        agent.destroy();
        t.equal(status, 502, `${method} failed at last`);
        return server.seen.filter((seen) => seen === `${method} ${path}`).length;
      };
      for (const isWarm of [false, true]) {
        const what = isWarm ? 'over a connection that was used before' : 'over a new connection';
        for (const method of ['POST', 'PUT', 'DELETE'] as const)
          t.equal(await tries(method, json, isWarm), 1, `${method} without a key, ${what}`);
        for (const method of ['GET', 'HEAD'] as const) {
          const count = await tries(method, {}, isWarm);
          t.ok(count === 2 || (isWarm && count === 3), `${method}, ${what}: ${count}`);
        }
        for (const method of ['POST', 'PUT', 'DELETE'] as const) {
          const count = await tries(method, { ...json, ...keyed }, isWarm);
          const isKept = method === 'DELETE' || front.keepsBodies;
          const isRight = isKept ? count === 2 || (isWarm && count === 3) : count === 1;
          t.ok(isRight, `${method} with a key, ${what}: ${count}`);
        }
      }
    },
  );

  t.test(`${front.name} logs no token of a link and no query, also of what fails`, { skip }, async (t) => {
    const server = await dyingServer(t);
    const started = await front.start(t, temporaryFolder(t), server.port);
    const token = randomBytes(60).toString('base64url');
    for (const path of [`/page/${token}?q=${token}`, `/page/${token}/x`, `/note/x?email=${token}`]) {
      await call(started.port, 'GET', path);
      await call(started.port, 'GET', path, { headers: { Host: 'elsewhere.example' } });
      await call(started.port, 'POST', path, {
        body: '{}',
        headers: { Referer: `https://x.example/${token}` },
      });
    }
    await until(async () => started.log().includes('/note/x'), 'it has logged');
    t.notOk(started.log().includes(token.slice(0, 20)));
    t.ok(started.log().includes('/page/[redacted]'));
  });

  t.test(
    `${front.name} says where a request comes from, whatever that says of itself`,
    { skip },
    async (t) => {
      const server = await dyingServer(t);
      const { port } = await front.start(t, temporaryFolder(t), server.port);
      const claims = {
        'X-Forwarded-For': '198.51.100.1',
        'X-Forwarded-Proto': 'http',
        'X-Forwarded-Host': 'evil.example',
        'X-Real-IP': '198.51.100.1',
        Forwarded: 'for=198.51.100.1',
      };
      const { headers } = JSON.parse((await call(port, 'GET', '/echo', { headers: claims })).text);
      t.equal(headers['x-forwarded-for'], '127.0.0.1');
      t.equal(headers['x-forwarded-proto'], 'https');
      t.notOk(JSON.stringify(headers).match(/198\.51|evil/), JSON.stringify(headers));
      const large = await call(port, 'POST', '/echo', { body: Buffer.alloc(7 * MIB, 'x') });
      t.equal(JSON.parse(large.text).bodyBytes, 7 * MIB, 'what is too large is for the system to refuse');
    },
  );

  t.test(`${front.name} closes what is for the operator, and passes all else on`, { skip }, async (t) => {
    const serverPort = Number(new URL(system.url).port);
    const { port } = await front.start(t, temporaryFolder(t), serverPort);
    const closed = [
      '/metrics',
      '/metrics?x',
      '/ops',
      '/ops/live',
      '/ops/ops.js',
      '/METRICS',
      '//metrics',
      '/%6detrics',
    ];
    for (const path of [...closed, '/OPS/live', '/metrics/'])
      t.equal((await call(port, 'GET', path, { headers: key })).status, 404, path);
    t.equal((await call(port, 'GET', '/note', { headers: key })).status, 200);
    t.equal((await call(port, 'GET', '/note')).status, 401);
    t.equal((await call(port, 'GET', '/docs')).status, 200);
    const upload = (bytes: Buffer) =>
      call(port, 'POST', '/file', {
        headers: { ...key, 'Content-Type': 'application/octet-stream' },
        body: bytes,
      });
    t.ok([200, 201].includes((await upload(Buffer.from('bytes'))).status), 'a file');
    const large = await upload(Buffer.alloc(6 * MIB));
    t.equal(large.status, 413);
    t.equal(JSON.parse(large.text).code, 'too_large', 'the system itself has refused it');
  });

  t.test(`${front.name} that lets the operator in passes on each event as it comes`, { skip }, async (t) => {
    const serverPort = Number(new URL(system.url).port);
    const opened = (config: string) =>
      config.replace('\trespond @operator 404\n', '').replace(/ {4}location ~\* \^[^}]*\}\n/, '');
    const { port } = await front.start(t, temporaryFolder(t), serverPort, opened);
    const outgoing = send({
      ...{ host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false, port, path: '/ops/live' },
      headers: { Host: 'localhost', ...key },
    });
    outgoing.end();
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    t.equal(answer.statusCode, 200);
    let events = 0;
    answer.on('data', (chunk) => {
      events += String(chunk).split('event: system').length - 1;
    });
    answer.on('error', () => {});
    await until(() => events >= 3, 'three have come', 10_000);
    outgoing.destroy();
    t.pass('while the answer goes on');
  });

  t.test(
    `behind ${front.name} no read and no keyed write fails while workers are killed`,
    { skip },
    async (t) => {
      const { port } = await front.start(t, temporaryFolder(t), Number(new URL(system.url).port));
      const agent = new Agent({ keepAlive: true });
      t.teardown(() => agent.destroy());
      let isOver = false;
      let writes = 0;
      const failures: string[] = [];
      const clients = Array.from({ length: CLIENTS }, async (_, client) => {
        for (let number = 0; !isOver; number += 1) {
          const id = `${front.name}${client}-${number}`;
          const headers = { ...json, ...key, 'Idempotency-Key': `"${id}"` };
          const statusOf = (call: Promise<Answer>) =>
            call.then(
              ({ status }) => status,
              (error: Error) => error.message,
            );
          const body = JSON.stringify(noteOf(id));
          const write = () => statusOf(call(port, 'POST', '/note', { headers, body, agent }));
          let written = await write();
          if (written === 502 && !front.keepsBodies) written = await write();
          if (written !== 201) failures.push(`POST ${id}: ${written}`);
          const read = await statusOf(call(port, 'GET', `/note/${id}`, { headers: key, agent }));
          if (read !== 200) failures.push(`GET ${id}: ${read}`);
          writes += 1;
        }
      });
      for (let kill = 0; kill < KILLS; kill += 1) {
        const from = system.lines.length;
        const name = `worker-${1 + (kill % 2)}`;
        process.kill(system.pidOf(name), 'SIGKILL');
        await system.waitFor(({ msg }) => msg.startsWith(`${name} ready`), from);
        await delay(KILL_INTERVAL_MS);
      }
      isOver = true;
      await Promise.all(clients);
      t.strictSame(failures, []);
      t.ok(writes > 50, `${writes} writes`);
    },
  );

  t.test(`${front.name} gives up an idle connection before the system does`, async (t) => {
    const times = [...front.config.matchAll(/^\s*keepalive(?:_timeout)? (\d+)s/gm)].map(([, seconds]) =>
      Number(seconds),
    );
    t.ok(times.length > 0);
    for (const seconds of times) t.ok(seconds * 1000 < KEEP_ALIVE_TIMEOUT_MS, `${seconds} s`);
  });
}

t.test('caddy takes the configuration as it stands', { skip: missing('caddy') }, async (t) => {
  const config = new URL('../../config/Caddyfile', import.meta.url).pathname;
  const folder = temporaryFolder(t);
  const { status, stderr } = spawnSync('caddy', ['validate', '--config', config, '--adapter', 'caddyfile'], {
    encoding: 'utf8',
    env: {
      ...process.env,
      HOME: folder,
      XDG_DATA_HOME: join(folder, 'd'),
      XDG_CONFIG_HOME: join(folder, 'c'),
    },
  });
  t.equal(status, 0, stderr);
  t.notMatch(stderr, /"level":"(?:warn|error)"/);
});
