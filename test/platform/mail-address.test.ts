import t from 'tap';
import { parseAddress, parseMailbox } from '../../src/platform/mail-address.ts';

t.test('an address is read into its parts', async (t) => {
  t.same(parseAddress("o'neil+a.b=c@mail.Example-1.org"), {
    localPart: "o'neil+a.b=c",
    domain: 'mail.Example-1.org',
  });
  t.ok(parseAddress(`${'a'.repeat(64)}@${'b'.repeat(63)}.org`));
});

t.test('what is none as a whole is none', async (t) => {
  const wrong = [
    ...['', '@', 'a', 'a@', '@b.org', 'a@b', 'a@@b.org', 'a@b@c.org', '.a@b.org', 'a.@b.org', 'a..b@c.org'],
    ...['a@.b.org', 'a@b..org', 'a@b.org.', 'a@-b.org', 'a@b-.org', 'a@b.1org', 'a@b.c', 'a@[127.0.0.1]'],
    ...[
      '"a b"@c.org',
      'a b@c.org',
      ' a@b.org',
      'a@b.org ',
      'a@b.org\n',
      'a@b.org\r\nBcc: c@d.org',
      'a\0@b.org',
    ],
    ...['<a@b.org>', 'A <a@b.org>', 'a@b.org,c@d.org', 'a(comment)@b.org', 'ä@b.org', 'a@bü.org', 'a@b.org>'],
    ...[`${'a'.repeat(65)}@b.org`, `a@${'b'.repeat(64)}.org`, 'a:b@c.org', 'a;b@c.org', 'a\\@b.org'],
  ];
  for (const text of wrong) t.equal(parseAddress(text), undefined, JSON.stringify(text));
});

t.test('a mailbox is an address, or a name and an address', async (t) => {
  t.same(parseMailbox('a@b.org'), { name: '', address: 'a@b.org' });
  t.same(parseMailbox('Kino, Köln <a@b.org>'), { name: 'Kino, Köln', address: 'a@b.org' });
  for (const text of [
    'A <a@b.org> x',
    'A a@b.org',
    'A\r\nBcc: x <a@b.org>',
    '<a@b.org',
    'a@b.org>',
    'A <a>',
  ]) {
    t.equal(parseMailbox(text), undefined, JSON.stringify(text));
  }
});
