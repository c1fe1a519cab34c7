import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, createServer as createHttpServer, request as send } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { SystemSnapshot } from '../../src/messages/snapshot.ts';
import { command } from '../cli/command.ts';
import { CONFIG, oneServer, startHaproxy } from '../support/haproxy.ts';
import { noteOf } from '../support/http.ts';
import { type RunningSystem, startPair, temporaryFolder, until } from '../support/system.ts';
import { missing } from '../support/tools.ts';

/** How often the configuration has a request sent that gets no answer. */
const TRIES = 2;
/** Enough to show that the rules hold; HAPROXY_KILLS makes it longer. */
const KILLS = Number(process.env.HAPROXY_KILLS ?? 6);
const CLIENTS = 8;
/** HAProxy has read the head when the body comes, as with clients that send each by itself. */
const APART_MS = 50;
/** Of HAProxy, less what it keeps free for what it adds. */
const BUFFER_BYTES = 15_000;

/** A server that takes every request but the health checks and closes its connection unanswered, as a worker dies. */
async function dyingServer(t: Test): Promise<{ port: number; seen: string[] }> {
  const seen: string[] = [];
  const server = createHttpServer((incoming, outgoing) => {
    if (incoming.url === '/ready') {
      outgoing.end();
      return;
    }
    seen.push(`${incoming.method} ${incoming.url}`);
    incoming.resume().on('end', () => incoming.socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  t.teardown(() => server.closeAllConnections());
  return { port: (server.address() as { port: number }).port, seen };
}

/** From the primary itself: its log may be a moment late. */
async function pidOf(system: RunningSystem, name: string): Promise<number> {
  let pid: number | undefined;
  await until(async () => {
    const { stdout } = await command(['status', '--json'], { DATA_DIR: system.dataDir });
    const { children } = JSON.parse(stdout) as SystemSnapshot;
    const child = children.find((candidate) => candidate.name === name);
    pid = child?.state === 'ready' ? (child.pid ?? undefined) : undefined;
    return pid !== undefined;
  }, `${name} is ready`);
  return pid as number;
}

const agent = new Agent({ keepAlive: true });

async function call(
  port: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
  via: Agent | false = agent,
  isApart = false,
): Promise<number> {
  const outgoing = send({ port, method, path, headers, agent: via });
  if (isApart) {
    outgoing.flushHeaders();
    await delay(APART_MS);
  }
  outgoing.end(body);
  const [answer] = await once(outgoing, 'response');
  await text(answer);
  return answer.statusCode;
}

t.teardown(() => agent.destroy());

t.test(
  'the configuration that compose-failover.yaml has one make is one of HAProxy, with two servers',
  { skip: missing('haproxy') },
  async (t) => {
    const folder = temporaryFolder(t);
    const config = new URL('.', CONFIG);
    cpSync(config, join(folder, 'config'), { recursive: true });
    const head = readFileSync(new URL('compose-failover.yaml', config), 'utf8');
    const sed = /^# {3}(sed .*)$/m.exec(head)?.[1];
    execFileSync('sh', ['-c', String(sed)], { cwd: folder });
    const path = join(folder, 'config/.haproxy-failover.cfg');
    const made = readFileSync(path, 'utf8');
    t.strictSame(
      made.match(/^ *(?:bind|server|retry-on) .*$/gm)?.map((line) => line.trim()),
      [
        'bind :8000',
        'retry-on conn-failure empty-response',
        'server a a:8080 check inter 1s fall 2 rise 1 on-marked-down shutdown-sessions',
        'server b b:8080 check inter 1s fall 2 rise 1 on-marked-down shutdown-sessions',
        'retry-on conn-failure empty-response 503',
      ],
    );
    // There are machines of these names among containers alone.
    writeFileSync(path, made.replace(/ ([ab]):8080/g, ' 127.0.0.1:8080'));
    const { status, stderr } = spawnSync('haproxy', ['-c', '-f', path], { encoding: 'utf8' });
    t.equal(status, 0, stderr);
  },
);

t.test(
  'HAProxy takes the configuration as it stands, without a warning',
  { skip: missing('haproxy') },
  async (t) => {
    const { status, stdout, stderr } = spawnSync('haproxy', ['-c', '-f', CONFIG.pathname], {
      encoding: 'utf8',
    });
    t.equal(status, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /WARNING|ALERT/);
  },
);

t.test(
  'a request whose worker died is sent again when it reads or has a key, and else never',
  { skip: missing('haproxy') },
  async (t) => {
    const server = await dyingServer(t);
    const port = await startHaproxy(t, temporaryFolder(t), oneServer(server.port));
    const keyed = { 'Idempotency-Key': '"one"' };
    const json = { 'Content-Type': 'application/json' };
    // On a connection of its own: on one that was used before, HAProxy answers by closing it.
    const unanswered = async (method: string, path: string, headers = {}, body?: string, isApart = false) =>
      t.equal(
        await call(port, method, path, headers, body, false, isApart),
        502,
        `${method} ${path} failed at last`,
      );
    await unanswered('POST', '/unkeyed', json, '{}');
    await unanswered('POST', '/keyed', { ...json, ...keyed }, '{}');
    const sized = (bytes: number) => ({ ...keyed, 'Content-Length': String(bytes) });
    await unanswered('POST', '/apart', sized(BUFFER_BYTES), 'a'.repeat(BUFFER_BYTES), true);
    await unanswered('POST', '/large', sized(100_000), 'a'.repeat(100_000));
    await unanswered('DELETE', '/unkeyed');
    await unanswered('DELETE', '/keyed', keyed);
    await unanswered('GET', '/read');
    const count = (request: string) => server.seen.filter((seen) => seen === request).length;
    t.equal(count('POST /unkeyed'), 1);
    t.equal(count('POST /keyed'), TRIES);
    t.equal(count('POST /apart'), TRIES);
    t.equal(count('POST /large'), 1, 'it does not fit in the buffer');
    t.equal(count('DELETE /unkeyed'), 1);
    t.equal(count('DELETE /keyed'), TRIES);
    t.equal(count('GET /read'), TRIES);
  },
);

t.test(
  'what is sent again goes to no connection that dies with the one before',
  { skip: missing('haproxy') },
  async (t) => {
    let isDying = false;
    const old = new Set<Socket>();
    const server = createHttpServer((incoming, outgoing) => {
      if (incoming.url !== '/ready' && isDying && old.has(incoming.socket)) incoming.socket.destroy();
      else outgoing.end();
    }).listen(0, '127.0.0.1');
    server.on('connection', (socket) => {
      if (!isDying) old.add(socket);
    });
    await once(server, 'listening');
    t.teardown(() => server.close());
    t.teardown(() => server.closeAllConnections());
    const { port: serverPort } = server.address() as AddressInfo;
    const port = await startHaproxy(t, temporaryFolder(t), oneServer(serverPort));
    const clients = Array.from({ length: 3 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    for (const client of clients) t.teardown(() => client.destroy());
    const ask = (client: Agent) => call(port, 'GET', '/read', {}, undefined, client);
    for (const client of clients) t.equal(await ask(client), 200);
    isDying = true;
    for (const client of clients) t.equal(await ask(client), 200, 'of a worker that lives');
  },
);

t.test(
  'the log of HAProxy holds no token of a link and no query',
  { skip: missing('haproxy') },
  async (t) => {
    const server = await dyingServer(t);
    const log: string[] = [];
    const port = await startHaproxy(t, temporaryFolder(t), oneServer(server.port), log);
    const token = randomBytes(60).toString('base64url');
    await call(port, 'GET', `/page/${token}?q=${token}`, {}, undefined, false);
    await call(port, 'GET', `/note/x?email=${token}`, {}, undefined, false);
    await until(async () => log.some((line) => line.includes('/note/x')), 'it has logged both');
    const paths = log
      .map((line) => line.split(' ').slice(-2).join(' '))
      .filter((path) => !path.endsWith('/ready'));
    t.same(paths, ['GET /page/[redacted]', 'GET /note/x']);
  },
);

t.test(
  'what is for the operator is not passed on by HAProxy, without keys and with one',
  { skip: missing('haproxy') },
  async (t) => {
    const system = await startPair(t);
    const port = await startHaproxy(t, system.dataDir, oneServer(Number(new URL(system.url).port)));
    const statusOf = (path: string, headers = {}) => call(port, 'GET', path, headers);
    for (const path of [
      '/metrics',
      '/metrics?x',
      '/ops',
      '/ops/live',
      '/ops/ops.js',
      '/METRICS',
      '//metrics',
    ])
      t.equal(await statusOf(path), 404, path);
    t.equal(await statusOf('/note'), 401);
    t.equal(await statusOf('/docs'), 200);
    const made = await command(['keys', 'create', '--name', 'a', '--scope', 'admin'], {
      DATA_DIR: system.dataDir,
    });
    const key = { Authorization: `Bearer ${made.stdout.trim()}` };
    t.equal(await statusOf('/metrics', key), 404);
    t.equal(await statusOf('/note', key), 200);
  },
);

t.test(
  'behind HAProxy no read and no keyed write fails while workers are killed and the code is reloaded',
  { skip: missing('haproxy') },
  async (t) => {
    const system = await startPair(t, { RATE_LIMIT_KEY_PER_MINUTE: '1000000' });
    // Behind a proxy nobody is local, so that a key is needed.
    const made = await command(['keys', 'create', '--name', 'h', '--scope', 'write'], {
      DATA_DIR: system.dataDir,
    });
    const authorized = { Authorization: `Bearer ${made.stdout.trim()}` };
    const port = await startHaproxy(t, system.dataDir, oneServer(Number(new URL(system.url).port)));
    let isOver = false;
    const failures: string[] = [];
    const count = { reads: 0, writes: 0 };
    let kills = 0;
    /** After how many kills the last requests of each client had begun that were answered. */
    const answeredAfter = Array.from({ length: CLIENTS }, () => -1);
    const written: string[] = [];
    const json = { ...authorized, 'Content-Type': 'application/json' };
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      for (let number = 0; !isOver; number += 1) {
        const id = `h${client}-${number}`;
        const begunAfter = kills;
        const key = { ...json, 'Idempotency-Key': `"${id}"` };
        const body = JSON.stringify(noteOf(id));
        const status = await call(port, 'POST', '/note', key, body).catch((error: Error) => error.message);
        if (status === 201) written.push(id);
        else failures.push(`POST ${id}: ${status}`);
        const read = await call(port, 'GET', `/note/${id}`, authorized).catch(
          (error: Error) => error.message,
        );
        if (read !== 200) failures.push(`GET ${id}: ${read}`);
        count.writes += 1;
        count.reads += 1;
        answeredAfter[client] = begunAfter;
      }
    });
    while (kills < KILLS) {
      const pid = await pidOf(system, `worker-${1 + (kills % 2)}`);
      // HAProxy sends a request again once: none shall meet two kills.
      await until(() => answeredAfter.every((after) => after === kills), 'what the last one hit is answered');
      process.kill(pid, 'SIGKILL');
      kills += 1;
      if (kills === KILLS / 2) t.equal((await command(['reload'], { DATA_DIR: system.dataDir })).code, 0);
    }
    isOver = true;
    await Promise.all(clients);
    t.same(failures, []);
    t.ok(count.writes >= CLIENTS * KILLS, `${count.writes} writes`);
    const crashes = system.lines.filter(({ msg }) => /^worker-\d died: killed by SIGKILL/.test(msg));
    t.ok(crashes.length >= KILLS / 2, `${crashes.length} workers were killed`);
    t.equal(new Set(written).size, written.length, 'each was new once');
  },
);
