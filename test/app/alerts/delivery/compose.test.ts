import { simpleParser } from 'mailparser';
import t from 'tap';
import { composer } from '../../../../src/app/alerts/delivery/compose.ts';
import type { DueAlert } from '../../../../src/app/alerts/delivery/queries.ts';
import { hashOfAddress, open } from '../../../../src/app/alerts/unsubscribe/token.ts';
import { compile } from '../../../../src/mail/compile.ts';
import { like } from '../../../support/like.ts';
import { IMAGES } from '../../support/images.ts';

const PNG = IMAGES['image/png'];
const KEY = Buffer.alloc(32, 7);
const IMAGE_ID = `${'a'.repeat(42)}A`;
const ALERT: DueAlert = {
  id: 7,
  version: 1,
  createdAtMs: 1_700_000_000_000,
  owner: 'acme',
  email: 'jane@example.com',
  notification_date: '2030-01-31',
  title: 'The Third Man',
  category: 'film noir',
  imageUrl: 'https://example.org/cover.png',
  attempts: 0,
};

const compose = composer({
  from: { name: 'Movies', address: 'movies@example.org' },
  publicUrl: 'https://api.example.org',
  findImage: (owner, id) =>
    owner === 'acme' && id === IMAGE_ID ? { type: 'image/png', bytes: PNG } : undefined,
  unsubscribeKey: () => KEY,
});

async function parsed(change: Partial<DueAlert> = {}) {
  const content = await compile(compose({ ...ALERT, ...change }));
  const mail = await simpleParser(content);
  return {
    content: content.toString('latin1'),
    mail,
    names: mail.headerLines.map(({ key }) => key).toSorted(),
  };
}

const plain = await parsed();

t.test('a mail has what a mail program and its reader need', async (t) => {
  const { mail, content } = await parsed();
  t.equal(mail.subject, 'Reminder: The Third Man');
  t.equal(mail.from?.text, '"Movies" <movies@example.org>');
  t.same([mail.to].flat()[0]?.value, [{ address: 'jane@example.com', name: '' }]);
  t.match(mail.text, /The Third Man\nfilm noir[\s\S]*2030-01-31/);
  t.match(mail.html, /src="https:\/\/example\.org\/cover\.png"/);
  const url = /^List-Unsubscribe: <(https:\/\/api\.example\.org\/unsubscribe\/([\w-]+))>\r$/m.exec(content)!;
  t.match(content, /^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r$/m);
  t.match(mail.text, url[1]);
  t.ok(String(mail.html).includes(`href="${url[1]}"`), String(mail.html));
  t.same(open(url[2]!, KEY), { owner: 'acme', addressHash: hashOfAddress('JANE@example.com') });
  t.notMatch(url[2], /acme/);
});

t.test('the Message-ID is that of the alert in its version, and tells nothing', async (t) => {
  const idOf = (change: Partial<DueAlert>) => compose({ ...ALERT, ...change }).messageId;
  t.match(idOf({}), /^[\da-f]{40}@example\.org$/);
  t.equal(idOf({ attempts: 3 }), idOf({}));
  const others = [{ id: 8 }, { version: 2 }, { createdAtMs: 1 }, { notification_date: '2030-02-01' }];
  t.equal(new Set([{}, ...others].map(idOf)).size, 5);
});

t.test('an image of ours comes with the mail, when it is the owner’s', async (t) => {
  const imageUrl = `http://127.0.0.1:8080/movie/image/${IMAGE_ID}`;
  const { mail } = await parsed({ imageUrl });
  like(t, mail.attachments, [
    { contentId: '<cover>', contentType: 'image/png', contentDisposition: 'inline' },
  ]);
  t.same(mail.attachments[0]?.content, PNG);
  for (const change of [{ imageUrl, owner: 'other' }, { imageUrl: `${imageUrl}x` }]) {
    t.same((await parsed(change)).mail.attachments, []);
  }
});

t.test('nothing that a client writes becomes a header, an address or HTML', async (t) => {
  const attacks = [
    'x\r\nBcc: eve@example.net',
    'x\nBcc: eve@example.net\n\nbody',
    'x\rSubject: y',
    'x\u2028Bcc: eve@example.net',
    'x\u0085Bcc: eve@example.net',
    '</title><script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '&lt;script&gt;',
    '=?utf-8?Q?=0D=0ABcc=3A_eve=40example.net?=',
    '<eve@example.net>, eve@example.org',
    'a\tb\v\f\x1b[31m',
    `${'long '.repeat(90)}\r\n\r\n--boundary`,
  ];
  for (const text of attacks) {
    const imageUrl = 'https://example.org/a"onerror="alert(1)';
    const { mail, names, content } = await parsed({ title: text, category: text, imageUrl });
    const name = encodeURIComponent(text);
    t.same(names, plain.names, name);
    t.same([mail.to].flat()[0]?.value.length, 1, name);
    t.equal(mail.bcc, undefined, name);
    const html = String(mail.html);
    t.same(tagsOf(html), tagsOf(String(plain.mail.html)), name);
    t.equal(linesOf(mail.text), linesOf(plain.mail.text), name);
    t.notMatch(html.replace(/"[^"]*"/g, ''), /<script|<[^>]*\son\w+=/i, name);
    t.ok(/^[\r\n\t\x20-\x7e]*$/.test(content), 'the wire carries ASCII alone');
  }
});

function tagsOf(html: string): string[] {
  return [...html.matchAll(/<(\w+)/g)].map(([, tag]) => tag!);
}

function linesOf(text = ''): number {
  return text.split(/[\r\n\v\f\u0085\u2028\u2029]/).length;
}

t.test('what mail programs decode reaches a reader as it was written', async (t) => {
  for (const title of [
    '=?utf-8?Q?=0D=0ABcc=3A_eve=40example.net?=',
    '=?utf-8?B?UGF5IG5vdw==?=',
    'A =?utf-8?Q?B?= =?utf-8?Q?C?= D',
    `${'=?utf-8?Q?x?='.repeat(30)} 火`,
    '&#x202E; &amp; %0D%0A =0D=0A',
  ]) {
    const { mail, names } = await parsed({ title });
    t.equal(mail.subject, `Reminder: ${title}`);
    t.strictSame(names, plain.names);
    t.equal(mail.text?.split('\n')[0], title);
  }
});

t.test(
  'what cannot be seen is left out, and a title of nothing else has a subject all the same',
  async (t) => {
    for (const [title, seen] of [
      ['\u202Egpj.exe\u202C', 'gpj.exe'],
      ['\u2066a\u2069\u2067b\u2069\u2068c\u2069', 'abc'],
      ['Pay\u200B\u00AD\u2060\uFEFF now', 'Pay now'],
      ['x\u{E0068}\u{E0069}', 'x'],
      ['Ma  cbeth\t\r\n  II ', 'Ma cbeth II'],
      [' ', 'a movie'],
      ['\u3000\u00A0', 'a movie'],
      ['\u200B\u200D\uFE0F', 'a movie'],
      ['\u3164\u2800', 'a movie'],
      ['\u202E', 'a movie'],
    ] as const) {
      const { mail } = await parsed({ title, category: `${title}!` });
      const name = encodeURIComponent(title);
      t.equal(mail.subject, `Reminder: ${seen}`, name);
      t.equal(mail.text?.split('\n')[0], seen, name);
      t.ok(String(mail.html).includes(`<h1 style="font-size: 1.4em">${seen}</h1>`), name);
      t.notMatch(String(mail.html) + mail.text, /[\u202A-\u202E\u2066-\u2069\u200B]/, name);
    }
  },
);

t.test('any script arrives intact', async (t) => {
  const titles = [
    'Ünïcödé',
    '七人の侍',
    'الرسالة',
    'Броненосец «Потёмкин»',
    '🎬👩‍👩‍👧‍👦 e\u0301',
    '🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️',
    'می‌خواهم',
    'שלום\u200F!',
    '東京\u3000物語',
    'x'.repeat(500),
    '火'.repeat(500),
  ];
  for (const title of titles) {
    const { mail } = await parsed({ title, category: title });
    t.equal(mail.subject, `Reminder: ${title}`);
    t.equal(mail.text?.split('\n')[0], title);
    t.ok(String(mail.html).includes(`<h1 style="font-size: 1.4em">${title}</h1>`), String(mail.html));
  }
});
