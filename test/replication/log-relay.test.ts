import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import t from 'tap';
import type { LitestreamLine } from '../../src/replication/log-line.ts';
import { LogRelay, type LogRelayOptions } from '../../src/replication/log-relay.ts';
import { like } from '../support/like.ts';
import { keepingLog } from './fixture.ts';

const SECRETS = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLEKEYID', AWS_SECRET_ACCESS_KEY: 'se/cr+et"q\\uote=' };

interface Outputs {
  readonly stdout?: readonly (string | Buffer)[];
  readonly stderr?: readonly (string | Buffer)[];
}

/** Feeds a relay with chunks and returns what became of them. */
async function relay(outputs: Outputs, options: Partial<LogRelayOptions> = {}) {
  const { log, lines } = keepingLog();
  const heard: LitestreamLine[] = [];
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  new LogRelay({ log, secrets: {}, databases: 2, onLine: (line) => heard.push(line), ...options }).attach({
    stdout,
    stderr,
  });
  for (const chunk of outputs.stdout ?? []) stdout.write(chunk);
  for (const chunk of outputs.stderr ?? []) stderr.write(chunk);
  stdout.end();
  stderr.end();
  await Promise.all([finished(stdout), finished(stderr)]);
  return { lines, heard };
}

function json(level: string, msg: string, fields: Record<string, unknown> = {}): string {
  return `${JSON.stringify({ time: '2026-01-01T00:00:00Z', level, msg, ...fields })}\n`;
}

const [DEBUG, INFO, WARN, ERROR] = [20, 30, 40, 50];

t.test('each line goes on at the level that it has for us', async (t) => {
  const cases = [
    [json('INFO', 'write wal segment', { position: 'a/0:0' }), DEBUG],
    [json('INFO', 'sync: new generation', { reason: 'no generation exists' }), INFO],
    [json('ERROR', 'monitor error', { error: 'RequestError: send request failed' }), WARN],
    [json('ERROR', 'monitor error', { error: 'no generation, waiting for data' }), DEBUG],
    [json('ERROR', 'sync error', { error: 'database is locked' }), WARN],
    [json('ERROR', 'failed to run', { error: 'yaml: line 1' }), ERROR],
    [json('WARN', 'init: cannot determine last wal position'), WARN],
    [json('NOISE', 'what is this'), INFO],
    ['2026/11/23 12:00:00 ERROR failed to run error="config file not found"\n', ERROR],
    ['time=2026-01-01 level=WARN msg=hm\n', WARN],
  ] as const;
  const { lines } = await relay({ stdout: cases.map(([text]) => text) });
  t.same(
    lines.map(({ level }) => level),
    cases.map(([, level]) => level),
  );
  t.ok(lines[2]?.msg.startsWith('litestream: monitor error: RequestError: send request failed'));
  const { lines: plain } = await relay({ stdout: ['hello\n'], stderr: ['panic: no\n', 'goroutine 1\n'] });
  t.same(plain.map(({ level }) => level).sort(), [INFO, WARN, WARN]);
});

t.test('it is ready once, when every database has been taken up', async (t) => {
  let ready = 0;
  const initialized = json('INFO', 'initialized db', { path: '/data/main.db' });
  const onReady = () => {
    ready += 1;
  };
  await relay({ stdout: [initialized] }, { onReady });
  t.equal(ready, 0);
  await relay({ stdout: [initialized, initialized, initialized] }, { onReady });
  t.equal(ready, 1);
});

t.test('a listener gets the fields, at the level that Litestream gave', async (t) => {
  const fields = { db: '/data/main.db', replica: 's3', position: 'f00/00000001:4152', sz: 8272 };
  const { heard } = await relay({ stdout: [json('INFO', 'wal segment written', fields)] });
  const said = { message: 'wal segment written', fields };
  t.same(heard, [{ level: 'info', ...said, shown: said }]);
});

t.test(
  'a credential that occurs in what Litestream says does not keep it from being understood',
  async (t) => {
    const secrets = { AWS_ACCESS_KEY_ID: 'main', AWS_SECRET_ACCESS_KEY: 'l' };
    const fields = { db: '/srv/main/main.db', position: 'f00/00000001:4152', sz: 8272 };
    let ready = 0;
    const { lines, heard } = await relay(
      { stdout: [json('INFO', 'initialized db'), json('INFO', 'wal segment written', fields)] },
      { secrets, databases: 1, onReady: () => (ready += 1) },
    );
    t.equal(ready, 1);
    t.equal(heard[1]?.message, 'wal segment written');
    t.same(heard[1]?.fields, fields);
    t.equal(lines[1]?.level, DEBUG, 'it is known as everyday work');
    t.equal(lines[1]?.msg, 'litestream: wa[redacted] segment written');
    t.same(heard[1]?.shown.fields, { ...fields, db: '/srv/[redacted]/[redacted].db' });
  },
);

t.test('a listener that throws does no harm', async (t) => {
  const onLine = () => {
    throw new Error('mine');
  };
  const { lines } = await relay({ stdout: ['one\n', 'two\n'] }, { onLine });
  t.equal(lines.filter(({ msg }) => msg.includes('listener')).length, 2);
});

t.test('a line is one line however it arrives', async (t) => {
  const line = Buffer.from(json('INFO', 'snapshot written', { path: '/däta/🎬.db' }));
  const bytes = [...line].map((byte) => Buffer.from([byte]));
  const { heard } = await relay({ stdout: bytes });
  like(t, heard, [{ message: 'snapshot written', fields: { path: '/däta/🎬.db' } }]);
  const { heard: unended } = await relay({ stdout: ['a\r\n\n\nb\nc'] });
  t.same(
    unended.map(({ message }) => message),
    ['a', 'b', 'c'],
  );
});

t.test('credentials never pass, however they are spelled', async (t) => {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = SECRETS;
  const escaped = [...id].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
  const long = 'x'.repeat(16_384);
  const { lines, heard } = await relay(
    {
      stdout: [
        json('ERROR', 'monitor error', { error: `the secret is ${secret}`, deep: [{ secret, id }] }),
        `{"level":"INFO","msg":"${escaped}"}\n`,
        json('INFO', id),
        // Around every place where a line that is too long may be cut.
        ...Array.from({ length: 60 }, (_, cut) => `${long.slice(0, 16_384 - cut)}${secret}\n`),
        ...Array.from(
          { length: 60 },
          (_, cut) => `${id} ${id} ${long.slice(0, 16_340 - cut)}${secret}${long}\n`,
        ),
      ],
      stderr: [`https://host/?X-Amz-Credential=${encodeURIComponent(secret)}&x=${id}\n`],
    },
    { secrets: SECRETS },
  );
  const all = JSON.stringify([lines, heard.map(({ shown }) => shown)]);
  t.notMatch(all, id);
  for (let start = 0; start + 8 <= secret.length; start += 1) {
    const part = secret.slice(start, start + 8);
    t.notOk(all.includes(JSON.stringify(part).slice(1, -1)), `no part of the secret: ${part}`);
  }
  t.ok(all.includes('redacted'), all);
});

t.test('whatever it prints, nothing throws and no line is long', async (t) => {
  const random = Buffer.from(
    Array.from({ length: 200_000 }, (_, index) => (index * 7919 + (index >> 3)) & 0xff),
  );
  const garbage = [
    'null\n',
    '123\n',
    '"text"\n',
    '[]\n',
    '{}\n',
    '{"msg":5}\n',
    '{"msg":null,"level":{}}\n',
    '{"level":"__proto__","msg":"x","__proto__":{"a":1},"constructor":5}\n',
    '{"level":"ERROR","msg":"monitor error","error":{"toString":1,"valueOf":1}}\n',
    '{"level":"INFO","msg":"x","toJSON":"y"}\n',
    '{"msg":"unfinished\n',
    `${'{"a":'.repeat(5000)}\n`,
    `{"msg":"deep","a":${'['.repeat(5000)}${']'.repeat(5000)}}\n`,
    `${'x'.repeat(1_000_000)}\n`,
    `{"msg":"${'y'.repeat(1_000_000)}"}\n`,
    '\0\0\0\n',
    '\ud800\n',
    'after\n',
  ];
  const { lines, heard } = await relay({ stdout: garbage, stderr: [random, '\nafter\n'] });
  t.equal(heard.filter(({ message }) => message === 'after').length, 2, 'it goes on with the next line');
  t.ok(lines.every(({ msg }) => msg.length <= 16_384 + 'litestream: '.length));
});
