import t from 'tap';
import { canonicalAddress, countedAddress, isNear } from '../../src/platform/ip-address.ts';

t.test('an IPv6 address is counted with its network', async (t) => {
  for (const [address, counted] of [
    ['127.0.0.1', '127.0.0.1'],
    ['unix', 'unix'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['fe80::1', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ] as const) {
    t.equal(countedAddress(address), counted);
  }
});

t.test('an address has one spelling, and an IPv4-mapped one is IPv4', async (t) => {
  for (const [text, canonical] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:207', '192.0.2.7'],
    ['0:0:0:0:0:ffff:192.0.2.7', '192.0.2.7'],
    ['2001:DB8:0:0:0:0:0:01', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['', undefined],
    ['unknown', undefined],
    ['1.2.3', undefined],
    ['1.2.3.04', undefined],
    ['[::1]', undefined],
    ['::1/64', undefined],
  ] as const) {
    t.equal(canonicalAddress(text), canonical, text);
  }
});

t.test('near is what nobody outside can be', async (t) => {
  for (const near of [
    'unix',
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '::1',
    'fd00::1',
    'fe80::1',
  ])
    t.equal(isNear(near), true, near);
  for (const far of ['192.0.2.1', '172.32.0.1', '8.8.8.8', '2001:db8::1', 'unknown'])
    t.equal(isNear(far), false, far);
});
