import { once } from 'node:events';
import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { RequestGate } from '../../src/worker/request-gate.ts';

/** A real server behind a gate, which answers at once, but for what a test answers: /slow, and /stream, which it begins to. */
async function serving(t: Test) {
  const slow = Promise.withResolvers<ServerResponse>();
  const stream = Promise.withResolvers<ServerResponse>();
  const gate = new RequestGate((req, res) => {
    if (req.url === '/slow') slow.resolve(res);
    else if (req.url === '/stream') {
      res.write('begun');
      stream.resolve(res);
    } else res.end('answered');
  });
  const came: string[] = [];
  const server = createServer((req, res) => {
    came.push(String(req.url));
    gate.listener(req, res);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  /** @returns the status, or the error where there is no answer */
  const get = (path: string, method = 'GET') =>
    new Promise<number | string>((resolve) => {
      request({ port, path, method, agent: false }, (res) => {
        res.on('end', () => resolve(res.statusCode ?? 0)).on('error', () => resolve('broken off'));
        res.resume();
      })
        .on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
        .end();
    });
  /** Resolves when the server has it. */
  const arrives = async (path: string) => {
    while (!came.includes(path)) await once(server, 'request');
  };
  return { gate, get, arrives, slow: slow.promise, stream: stream.promise };
}

t.test('what comes while it holds is answered when it is let go, and probes at once', async (t) => {
  const { gate, get, arrives } = await serving(t);
  t.equal(await get('/before'), 200);
  await gate.hold();
  let isAnswered = false;
  const waiting = get('/waits').finally(() => {
    isAnswered = true;
  });
  await arrives('/waits');
  t.equal(await get('/ready?verbose'), 200);
  t.equal(isAnswered, false);
  gate.answer();
  t.equal(await waiting, 200);
  t.equal(await get('/after'), 200);
});

t.test('what waits is closed unanswered, and so is all that comes then, but for probes', async (t) => {
  const { gate, get, arrives } = await serving(t);
  await gate.hold();
  const waiting = get('/waits');
  await arrives('/waits');
  gate.close();
  t.equal(await waiting, 'ECONNRESET');
  t.equal(await get('/after'), 'ECONNRESET');
  t.equal(await get('/ready'), 200, 'what the app says of it');
});

t.test('it holds when what came before and may write is answered', async (t) => {
  const { gate, get, slow, stream } = await serving(t);
  const followed = get('/stream');
  const following = await stream;
  await gate.hold();
  gate.answer();
  const before = get('/slow', 'POST');
  const res = await slow;
  let isHeld = false;
  const held = gate.hold().then(() => {
    isHeld = true;
  });
  t.equal(await get('/health'), 200);
  t.equal(isHeld, false);
  res.end();
  await held;
  t.equal(await before, 200);
  gate.close();
  following.end();
  t.equal(await followed, 200, 'an answer that has begun is ended');
});

t.test('what is under way when it closes is closed unanswered, too', async (t) => {
  const { gate, get, slow } = await serving(t);
  const before = get('/slow', 'POST');
  await slow;
  void gate.hold();
  gate.close();
  t.equal(await before, 'ECONNRESET');
});

t.test('one that was let go before it held never says that it does', async (t) => {
  const { gate, get, slow } = await serving(t);
  const before = get('/slow', 'POST');
  const res = await slow;
  let isHeld = false;
  void gate.hold().then(() => {
    isHeld = true;
  });
  gate.answer();
  res.end();
  t.equal(await before, 200);
  t.equal(isHeld, false);
});
