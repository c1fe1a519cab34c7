import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import t from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import { startMessageTrap } from '../../loadtest/support/message-trap.ts';
import { sendTo } from '../../src/notify/http.ts';
import { type Message, payloadOf } from '../../src/notify/message.ts';
import { like } from '../support/like.ts';

const MESSAGE: Message = {
  kind: 'problem',
  condition: 'replication',
  host: 'vm-ä',
  cause: 'the store <b> & "c"\nX-Evil: 1',
  sinceAtMs: 0,
  command: "DATA_DIR='/srv/a b' npx ninelives status",
};

t.test('each format arrives as its receiver documents it', async (t) => {
  const trap = await startMessageTrap();
  t.teardown(trap.close);
  for (const format of ['json', 'slack', 'ntfy'] as const)
    t.strictSame(await sendTo(`${trap.url}/${format}?token=x`, payloadOf(MESSAGE, format)), { ok: true });
  const [json, slack, ntfy] = trap.requests;
  like(t, json, { method: 'POST', path: '/json?token=x', headers: { 'content-type': 'application/json' } });
  like(t, JSON.parse(json!.body), {
    status: 'problem',
    condition: 'replication',
    host: 'vm-ä',
    cause: MESSAGE.cause,
    since: '1970-01-01T00:00:00.000Z',
    command: MESSAGE.command,
  });
  t.strictSame(JSON.parse(slack!.body), {
    text: `*ninelives on vm-ä: replication*\nSince 1970-01-01T00:00:00.000Z: the store &lt;b&gt; &amp; "c"\nX-Evil: 1\nLook: ${MESSAGE.command}`,
  });
  like(t, ntfy, {
    body: `Since 1970-01-01T00:00:00.000Z: ${MESSAGE.cause}\nLook: ${MESSAGE.command}`,
    headers: { title: 'ninelives on vm-?: replication', priority: 'high', 'x-evil': undefined },
  });
});

t.test('a redirect is not followed, and counts as one that has arrived', async (t) => {
  const trap = await startMessageTrap((incoming, outgoing) => {
    if (incoming.url === '/moved') outgoing.writeHead(302, { Location: '/elsewhere' });
    outgoing.end();
  });
  t.teardown(trap.close);
  t.strictSame(await sendTo(`${trap.url}/moved`), {
    ok: false,
    reason: 'it answered 302, and no redirect is followed',
    isUnreached: false,
  });
  t.strictSame(
    trap.requests.map(({ path }) => path),
    ['/moved'],
  );
});

t.test('who does not answer is given up after five seconds, and no reason holds the URL', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const startMs = performance.now();
  t.strictSame(await sendTo(`http://127.0.0.1:${port}/secret`), {
    ok: false,
    reason: 'it has not answered within 5000 ms',
    isUnreached: false,
  });
  t.ok(performance.now() - startMs >= 4900);
  t.strictSame(await sendTo(`http://127.0.0.1:${await freePort()}/secret`), {
    ok: false,
    reason: 'the connection failed: ECONNREFUSED',
    isUnreached: true,
  });
  t.strictSame(await sendTo('https://secret.invalid/secret'), {
    ok: false,
    reason: 'the connection failed: ENOTFOUND',
    isUnreached: true,
  });
});
