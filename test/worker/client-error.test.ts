import t from 'tap';
import { startApp } from '../support/app.ts';

t.test('what is no HTTP request gets a problem and a closed connection', async (t) => {
  const app = await startApp(t);
  const cases: readonly [string, string | Buffer][] = [
    ['garbage', 'hello\r\n\r\n'],
    ['binary', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])],
    ['a bad Content-Length', 'POST /alert HTTP/1.1\r\nHost: localhost\r\nContent-Length: ten\r\n\r\n'],
    ['a negative Content-Length', 'POST /alert HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n'],
    [
      'two Content-Lengths',
      'POST /alert HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    ],
    [
      'a length and chunks, as smugglers send',
      'POST /alert HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a bad chunk', 'POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a control character in a header', 'GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: \u0001\r\n\r\n'],
    ['huge headers', `GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`],
  ];
  for (const [name, bytes] of cases) {
    const text = await app.raw(bytes);
    t.match(text, /HTTP\/1\.1 4\d\d /, name);
    t.match(text, /Content-Type: application\/problem\+json/i, name);
    t.notMatch(text, /HTTP\/1\.1 [25]\d\d /, name);
    t.notMatch(text, /HPE_|Parse Error/, name);
  }
  t.equal((await app.call('GET', '/health')).status, 200);
});
