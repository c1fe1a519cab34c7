import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { ContenderState } from '../../../src/messages/contender-state.ts';
import { askAbout, askForVow, lookAtPeer } from '../../../src/replication/failover/peer-client.ts';
import { PeerListener } from '../../../src/replication/failover/peer-listener.ts';
import { isSignedBy, Nonces, sign } from '../../../src/replication/failover/signature.ts';

const SECRET = 'between the two';
const ABOUT = {
  name: 'b',
  state: 'standby',
  release: 'r',
  replica: 's3://x/y',
  heldBackBecause: 'old',
  clockAtMs: 7,
} as const;

async function listening(t: Test, isPromised = true, state: ContenderState = ABOUT.state) {
  const asked: string[] = [];
  const clock = { nowMs: 1000 };
  const listener = new PeerListener({
    host: '127.0.0.1',
    port: 0,
    secret: SECRET,
    vow(session) {
      asked.push(session);
      return isPromised;
    },
    about: () => ({ ...ABOUT, state }),
    now: () => clock.nowMs,
  });
  t.teardown(() => listener.close());
  const url = `http://127.0.0.1:${await listener.listen()}`;
  const ask = (secret = SECRET) => askForVow('session', { url, secret, timeoutMs: 3000, now: () => 42 });
  const post = (path: string, body: string, signature?: string) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      body,
      ...(signature !== undefined && { headers: { 'x-signature': signature } }),
    });
  return { url, asked, ask, post, clock };
}

t.test('a promise comes with the time when it was asked for', async (t) => {
  const { ask, asked } = await listening(t);
  t.equal(await ask(), 42);
  t.strictSame(asked, ['session']);
});

t.test('it says what it is to who has the secret, and a wrong one is named', async (t) => {
  const { url } = await listening(t);
  const about = (secret: string, at = url) => askAbout({ url: at, secret, timeoutMs: 3000, now: () => 42 });
  t.strictSame(await about(SECRET), ABOUT);
  await t.rejects(about('another'), { message: 'PEER_SECRET is not the same on both' });
  await t.rejects(about(SECRET, 'http://127.0.0.1:2'), { message: 'it cannot be reached: ECONNREFUSED' });
});

t.test('one of the same name is not the other one, nor is one with another replica', async (t) => {
  const { url } = await listening(t);
  const look = (name: string, replica: string) =>
    lookAtPeer({ url, secret: SECRET, timeoutMs: 3000, now: () => 42 }, { name, replica });
  t.strictSame((await look('a', 's3://x/y')).said, ABOUT);
  t.match(
    (await look('b', 's3://x/y')).problem,
    /^it is called b as well: NODE_NAME is the same on both, or PEER_URL leads /,
  );
  t.match((await look('a', 's3://x/z')).problem, /REPLICA_URL is s3:\/\/x\/y there, and s3:\/\/x\/z here$/);
});

t.test('one that leads beside who leads in the store here has another store', async (t) => {
  const { url } = await listening(t, true, 'leader');
  const look = async (leader?: string) =>
    (
      await lookAtPeer(
        { url, secret: SECRET, timeoutMs: 3000, now: () => 42 },
        { name: 'a', replica: 's3://x/y', leader },
      )
    ).problem;
  t.equal(
    await look('a'),
    'it leads, and in the store here a does, so that each of both leads: S3_ENDPOINT or AWS_REGION, or the account, is another one there',
  );
  t.equal(await look('b'), undefined);
  t.equal(await look(), undefined);
});

t.test('a server that has a page for everything is not the other system', async (t) => {
  const server = createServer((request, response) => {
    request.resume();
    response.end('<html>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await t.rejects(askAbout({ url, secret: SECRET, timeoutMs: 3000, now: () => 42 }), {
    message: `${url} is not PEER_LISTEN of the other system: it signs nothing`,
  });
});

t.test('no promise is none', async (t) => {
  const { ask, asked } = await listening(t, false);
  t.equal(await ask(), undefined);
  t.strictSame(asked, ['session']);
});

t.test('another secret asks for nothing, and believes nothing', async (t) => {
  const { ask, asked } = await listening(t);
  t.equal(await ask('another'), undefined);
  t.strictSame(asked, []);
});

t.test('nobody listens', async (t) => {
  t.equal(
    await askForVow('session', {
      url: 'http://127.0.0.1:1',
      secret: SECRET,
      timeoutMs: 1000,
      now: () => 42,
    }),
    undefined,
  );
});

t.test(
  'a question that was heard on the way cannot be asked again, nor one without a signature',
  async (t) => {
    const { post, asked, clock } = await listening(t);
    const question = async () =>
      JSON.stringify({ nonce: await (await post('/nonce', '')).text(), ask: 'x', session: 'session' });
    const one = await question();
    t.equal((await post('/vow', one)).status, 403);
    t.equal((await post('/vow', one, sign('another', 'vow', one))).status, 403);
    t.equal((await post('/vow', one, sign(SECRET, 'promise', one))).status, 403);
    t.equal((await post('/vow', one, sign(SECRET, 'vow', one))).status, 200);
    t.equal((await post('/vow', one, sign(SECRET, 'vow', one))).status, 403);
    const late = await question();
    clock.nowMs += 5001;
    t.equal((await post('/vow', late, sign(SECRET, 'vow', late))).status, 403);
    const made = JSON.stringify({ nonce: 'made.up.nonce', ask: 'x', session: 'session' });
    t.equal((await post('/vow', made, sign(SECRET, 'vow', made))).status, 403);
    t.strictSame(asked, ['session']);
  },
);

t.test('what is no question is refused', async (t) => {
  const { post, url, asked } = await listening(t);
  t.equal((await fetch(`${url}/nonce`)).status, 400);
  t.equal((await post('/other', '')).status, 404);
  t.equal((await post('/vow', 'x'.repeat(1025))).status, 400);
  for (const text of ['', '{}', 'null', '{"nonce":1,"ask":"x","session":"s"}'])
    t.equal((await post('/vow', text, sign(SECRET, 'vow', text))).status, 403, text);
  t.strictSame(asked, []);
});

t.test('a promise that is of another question counts for nothing', async (t) => {
  const answer = JSON.stringify({ ask: 'of before', isPromised: true });
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('x-signature', sign(SECRET, 'promise', answer));
    response.end(request.url === '/nonce' ? 'nonce' : answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.equal(await askForVow('session', { url, secret: SECRET, timeoutMs: 3000, now: () => 42 }), undefined);
});

t.test('a signature is of one purpose, and of one text', async (t) => {
  const signature = sign(SECRET, 'vow', 'text');
  t.equal(isSignedBy(SECRET, 'vow', 'text', signature), true);
  t.equal(isSignedBy(SECRET, 'promise', 'text', signature), false);
  t.equal(isSignedBy(SECRET, 'vow', 'other', signature), false);
  t.equal(isSignedBy(SECRET, 'vow', 'text', undefined), false);
  t.equal(isSignedBy(SECRET, 'vow', 'text', `${signature}A`), false);
});

t.test('a nonce is of one listener, and is used once', async (t) => {
  const clock = { nowMs: 0 };
  const nonces = new Nonces(1000, () => clock.nowMs);
  const nonce = nonces.issue();
  t.equal(new Nonces(1000, () => clock.nowMs).use(nonce), false);
  t.equal(nonces.use(nonce), true);
  t.equal(nonces.use(nonce), false);
});
