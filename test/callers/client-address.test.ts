import type { IncomingMessage } from 'node:http';
import t from 'tap';
import { ClientAddresses } from '../../src/callers/client-address.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { UnnamedProxy } from '../../src/messages/messages.ts';
import { Failure } from '../../src/platform/errors.ts';

/** @param remoteAddress undefined: a Unix socket's */
function requestOf(remoteAddress: string | undefined, headers: Record<string, string>): IncomingMessage {
  return { headers, socket: { remoteAddress, destroyed: false } } as unknown as IncomingMessage;
}

function addressesOf(TRUSTED_PROXIES: string, onUnnamed: (all: readonly UnnamedProxy[]) => void = () => {}) {
  return new ClientAddresses(loadConfig({ TRUSTED_PROXIES }, '/tmp').config, onUnnamed);
}

function counted(proxies: string, peer: string | undefined, forwarded: string): string {
  return addressesOf(proxies).countedOf(requestOf(peer, { 'x-forwarded-for': forwarded }));
}

t.test('X-Forwarded-For is read from the right, past trusted proxies, to the first other', async (t) => {
  const named = '127.0.0.1, 10.0.0.0/8, fd00::/8';
  for (const [peer, forwarded, expected] of [
    ['192.0.2.9', '203.0.113.1', '192.0.2.9'],
    ['127.0.0.1', '203.0.113.1', '203.0.113.1'],
    ['::ffff:127.0.0.1', '203.0.113.1', '203.0.113.1'],
    ['127.0.0.1', '198.51.100.1, 203.0.113.1', '203.0.113.1'],
    ['127.0.0.1', '198.51.100.1,203.0.113.1 ,\t10.1.1.1', '203.0.113.1'],
    ['127.0.0.1', '::ffff:203.0.113.1, ::ffff:10.0.0.1', '203.0.113.1'],
    ['127.0.0.1', '203.0.113.1:4711', '203.0.113.1'],
    ['127.0.0.1', '[2001:db8::7]:4711', '2001:db8:0:0::/64'],
    ['fd00::1', '2001:DB8::7', '2001:db8:0:0::/64'],
    ['127.0.0.1', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
    ['127.0.0.1', 'junk, 10.0.0.2', '10.0.0.2'],
    ['127.0.0.1', '203.0.113.1, unknown', '127.0.0.1'],
    ['127.0.0.1', '203.0.113.1,', '127.0.0.1'],
    ['127.0.0.1', '', '127.0.0.1'],
    [undefined, '203.0.113.1', 'unix'],
  ] as const) {
    t.equal(counted(named, peer, forwarded), expected, `${peer}: ${forwarded}`);
  }
  t.equal(counted('unix', undefined, '203.0.113.1'), '203.0.113.1');
  t.equal(counted('unix', '127.0.0.1', '203.0.113.1'), '127.0.0.1');
  t.equal(counted('', '127.0.0.1', '203.0.113.1'), '127.0.0.1');
});

t.test('of more than 20 trusted entries the last good one counts', async (t) => {
  const chain = Array.from({ length: 30 }, (_, index) => `10.0.0.${30 - index}`);
  t.equal(counted('127.0.0.1 10.0.0.0/8', '127.0.0.1', chain.join(', ')), '10.0.0.20');
});

t.test('no other header decides anything', async (t) => {
  const request = requestOf('127.0.0.1', {
    forwarded: 'for=203.0.113.1',
    'x-real-ip': '203.0.113.1',
    'x-forwarded-host': '203.0.113.1',
    'x-forwarded-proto': 'https',
  });
  t.equal(addressesOf('127.0.0.1').countedOf(request), '127.0.0.1');
});

t.test('a network larger than anybody has is refused, and so is what is no address', async (t) => {
  for (const wrong of [
    ...['0.0.0.0/0', '::/0', '::ffff:0:0/96', '::ffff:1.2.3.4/96', '1.2.3.4/0'],
    ...['0.0.0.0/1', '128.0.0.0/1', '1.0.0.0/7', '8000::/1', '2000::/3', '::ffff:0.0.0.0/97'],
    ...['1.2.3.4/33', '::1/129', '::ffff:1.2.3.4/8', 'localhost', '10.0.0', '10.0.0.0/', 'fe80::1%eth0', '*'],
  ]) {
    t.throws(() => addressesOf(`127.0.0.1, ${wrong}`), Failure, wrong);
  }
  t.same(loadConfig({ TRUSTED_PROXIES: '::ffff:10.0.0.0/104,unix  ::1' }, '/tmp').config.TRUSTED_PROXIES, [
    '10.0.0.0/8',
    'unix',
    '::1/128',
  ]);
});

t.test(
  'peers that are not named are told once each, and those of outside do not hide one of here',
  async (t) => {
    const told: (readonly UnnamedProxy[])[] = [];
    const addresses = addressesOf('10.0.0.1', (all) => told.push(all));
    for (let round = 0; round < 2; round += 1) {
      for (let last = 1; last < 20; last += 1) {
        addresses.note(requestOf(`192.0.2.${last}`, { forwarded: 'for=x' }));
      }
    }
    t.equal(told.length, 5);
    addresses.note(requestOf('10.0.0.1', { 'x-forwarded-for': '192.0.2.1' }));
    addresses.note(requestOf('10.0.0.2', {}));
    t.equal(told.length, 5, 'neither one that is named nor one that sends no such header');
    addresses.note(requestOf('::ffff:10.0.0.2', { 'x-real-ip': '192.0.2.1' }));
    t.same(told.at(-1)?.at(-1), { address: '10.0.0.2', isNear: true });
  },
);
