import { type AddressInfo, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { compile } from '../../src/mail/compile.ts';
import type { Delivery, Mail } from '../../src/mail/mail.ts';
import { Smtp } from '../../src/mail/smtp.ts';
import { like } from '../support/like.ts';
import { answer, startSmtp, type TrapOptions, UNTRUSTED } from '../support/smtp.ts';

const MAIL: Mail = {
  messageId: 'one@example.org',
  from: { name: 'Movies', address: 'movies@example.org' },
  to: 'jane@example.com',
  subject: 'Reminder',
  text: 'text',
  html: '<p>html</p>',
  inline: [],
  unsubscribeUrl: 'https://example.org/unsubscribe/x',
};

function connect(t: Test, url: string, timeoutMs = 5000): Smtp {
  const smtp = new Smtp({ url, connections: 2, timeoutMs });
  t.teardown(() => smtp.close());
  return smtp;
}

async function send(t: Test, url: string, timeoutMs?: number): Promise<Delivery> {
  return connect(t, url, timeoutMs).send(MAIL, await compile(MAIL));
}

t.test('a mail arrives whole, and connections are kept and few', async (t) => {
  const server = await startSmtp(t);
  const smtp = connect(t, server.url);
  const content = await compile(MAIL);
  const outcomes: string[] = [];
  const lane = async () => {
    for (let n = 0; n < 10; n += 1) outcomes.push((await smtp.send(MAIL, content)).outcome);
  };
  await Promise.all([lane(), lane()]);
  t.strictSame(outcomes, Array(20).fill('sent'));
  like(t, server.connections(), { most: 2, total: 2 });
  t.equal(server.received.length, 20);
  t.same(server.received[0]?.bytes.toString(), content.toString());
});

t.test(
  'a connection outlives a mail that is refused, and one that the server has cut is made anew',
  async (t) => {
    let isRefused = true;
    const server = await startSmtp(t, { onMail: () => (isRefused ? answer(554, 'no') : undefined) });
    const smtp = connect(t, server.url);
    const content = await compile(MAIL);
    t.equal((await smtp.send(MAIL, content)).outcome, 'refused');
    isRefused = false;
    t.equal((await smtp.send(MAIL, content)).outcome, 'sent');
    t.equal(server.connections().total, 1);
    server.cut();
    t.equal((await smtp.send(MAIL, content)).outcome, 'sent');
    t.equal(server.connections().total, 2);
    t.equal(server.begun(), 3, 'each was begun once');
  },
);

for (const [way, options] of [
  ['STARTTLS', { disabledCommands: [] }],
  ['TLS from the first byte', { secure: true }],
] as [string, TrapOptions][]) {
  t.test(`a certificate that is not trusted is the server's fault, and is named: ${way}`, async (t) => {
    const server = await startSmtp(t, options);
    const url = options.secure ? server.url.replace('smtp:', 'smtps:') : server.url;
    like(t, await send(t, url), { outcome: 'unavailable', reason: UNTRUSTED });
    t.strictSame(await send(t, `${url}?tls.rejectUnauthorized=false`), { outcome: 'sent' }, 'unless it may');
    t.equal(server.received.length, 1);
  });
}

t.test('TLS is not used where it may not be, and asked for where it must', async (t) => {
  const server = await startSmtp(t, { disabledCommands: [] });
  t.strictSame(await send(t, `${server.url}?ignoreTLS=true`), { outcome: 'sent' });
  const plain = await startSmtp(t);
  const { outcome } = await send(t, `${plain.url}?requireTLS=true`);
  t.equal(outcome, 'unavailable');
  t.equal(plain.begun(), 0);
});

t.test('what breaks before a mail is begun is the server’s fault, whatever it is called', async (t) => {
  /** Says `lines`, one for each command, then cuts the connection. */
  const scripted = async (...lines: string[]) => {
    const server = createServer((socket) => {
      const left = [...lines];
      const next = () => {
        const line = left.shift();
        if (line === undefined) socket.resetAndDestroy();
        else socket.write(`${line}\r\n`);
      };
      socket.on('error', () => {});
      socket.on('data', next);
      next();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    return `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  for (const lines of [
    [],
    ['220 hello'],
    ['220 hello', '250 STARTTLS'],
    ['220 hello', '250 STARTTLS', '220 go'],
  ]) {
    t.equal((await send(t, await scripted(...lines))).outcome, 'unavailable', lines.join());
  }
  const login = (await scripted('220 hello', '250-you', '235')).replace('//', '//user:pass@');
  t.equal((await send(t, login)).outcome, 'unavailable', 'within the login');
  const closing = await scripted('220 hello', '250 you', '421 busy');
  t.equal((await send(t, closing)).outcome, 'unavailable', 'it says that it goes');
  const begun = await scripted('220 hello', '250 you', '250 ok', '250 ok', '354 go');
  like(
    t,
    await send(t, begun),
    { outcome: 'deferred', isConnectionLost: true },
    'after DATA it counts for the mail',
  );
});

const refuse = (code: number, text: string) => ({
  data: { onMail: () => answer(code, text) },
  rcpt: {
    onRcptTo: (_a: unknown, _s: unknown, callback: (error?: Error) => void) => callback(answer(code, text)),
  },
  mail: {
    onMailFrom: (_a: unknown, _s: unknown, callback: (error?: Error) => void) => callback(answer(code, text)),
  },
});
const TEXT = '5.1.1 <jane@example.com>: no such user, password is hunter2';

for (const [what, options, expected] of [
  [
    'refuses the mail for good',
    refuse(554, TEXT).data,
    { outcome: 'refused', reason: /answered 554 5\.1\.1 to DATA$/ },
  ],
  [
    'refuses the recipient for good',
    refuse(550, TEXT).rcpt,
    { outcome: 'refused', reason: /550 5\.1\.1 to RCPT TO$/ },
  ],
  ['cannot take the mail now', refuse(451, 'later').data, { outcome: 'deferred', isConnectionLost: false }],
  [
    'cannot take the recipient now',
    refuse(450, 'grey').rcpt,
    { outcome: 'deferred', isConnectionLost: false },
  ],
  ['is about to go', refuse(421, 'bye').data, { outcome: 'deferred', isConnectionLost: true }],
  [
    'does not let us send',
    refuse(550, 'who are you').mail,
    { outcome: 'unavailable', reason: /550 to MAIL FROM$/ },
  ],
  [
    'does not let us send now',
    refuse(452, 'full').mail,
    { outcome: 'unavailable', reason: /452 to MAIL FROM$/ },
  ],
  ['finds it too large', refuse(552, 'too large').mail, { outcome: 'refused' }],
  ['does not let us in', { onConnect: (_s, done) => done(answer(554, 'no')) }, { outcome: 'unavailable' }],
] as [string, TrapOptions, object][]) {
  t.test(`a server that ${what}`, async (t) => {
    const delivery = await send(t, (await startSmtp(t, options)).url);
    t.match(delivery, expected);
    t.notMatch(JSON.stringify(delivery), /jane|hunter2/, 'what it says is not repeated');
  });
}

t.test('a server that is not there, or does not speak', async (t) => {
  const gone = await startSmtp(t);
  await gone.close();
  like(t, await send(t, gone.url), {
    outcome: 'unavailable',
    reason: 'The connection to the mail server failed: ECONNREFUSED',
  });
  const closing = createServer((socket) => void socket.end());
  await new Promise<void>((resolve) => closing.listen(0, '127.0.0.1', resolve));
  t.teardown(() => closing.close());
  const { port } = closing.address() as AddressInfo;
  like(
    t,
    await send(t, `smtp://127.0.0.1:${port}`),
    { outcome: 'unavailable' },
    'as a proxy before a dead one',
  );
  const mute = await startSmtp(t, { onConnect: () => {} });
  like(t, await send(t, mute.url, 200), { outcome: 'unavailable', reason: /ETIMEDOUT/ });
});

t.test('a wrong password is no fault of the mail, and is not told', async (t) => {
  const server = await startSmtp(t, {
    authOptional: false,
    onAuth: (_auth, _session, callback) => callback(answer(535, 'wrong: hunter2')),
  });
  const delivery = await send(t, server.url.replace('//', '//user:hunter2@'));
  like(t, delivery, { outcome: 'unavailable', reason: /535/ });
  t.notMatch(JSON.stringify(delivery), /hunter2/);
});

t.test('a connection that breaks within a mail, or after it, leaves open whether it arrived', async (t) => {
  const dropping = await startSmtp(t, {
    onMail: (_mail, socket) => {
      socket.destroy();
      return answer(451, 'too late');
    },
  });
  like(t, await send(t, dropping.url), { outcome: 'deferred', isConnectionLost: true });
  t.equal(dropping.begun(), 1, 'and it is not sent again behind our back');
  const slow = await startSmtp(t, { onMail: () => new Promise(() => {}) });
  like(t, await send(t, slow.url, 200), { outcome: 'deferred', isConnectionLost: true });
});
