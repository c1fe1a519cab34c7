import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isPathStyle, namedAuthorities, proxyOf, storeUrl } from '../../../src/replication/store/reach.ts';
import { temporaryFolder } from '../../support/system.ts';

const AWS = { S3_ENDPOINT: undefined, S3_ADDRESSING: 'auto', AWS_REGION: 'eu-central-1' } as const;

t.test('a store has the address that Litestream asks, in the style that Litestream is told', async (t) => {
  t.equal(storeUrl(AWS).host, 's3.eu-central-1.amazonaws.com');
  t.equal(storeUrl({ ...AWS, AWS_REGION: 'cn-north-1' }).host, 's3.cn-north-1.amazonaws.com.cn');
  t.equal(isPathStyle(AWS), false);
  const own = { ...AWS, S3_ENDPOINT: 'https://store.example' };
  t.equal(storeUrl(own).href, 'https://store.example/');
  t.equal(isPathStyle(own), true);
  t.equal(isPathStyle({ ...own, S3_ADDRESSING: 'virtual' }), false);
  t.equal(isPathStyle({ ...AWS, S3_ADDRESSING: 'path' }), true);
});

t.test('a proxy is taken where Go takes it', async (t) => {
  const HTTPS_PROXY = 'http://proxy:3128';
  const taken = (url: string, env: NodeJS.ProcessEnv) => proxyOf(new URL(url), env);
  t.equal(taken('https://store.example', { HTTPS_PROXY }), HTTPS_PROXY);
  t.equal(taken('https://store.example', { https_proxy: 'proxy:3128' }), HTTPS_PROXY);
  t.equal(taken('http://store.example', { HTTPS_PROXY }), undefined);
  t.equal(taken('http://store.example', { HTTP_PROXY: HTTPS_PROXY }), HTTPS_PROXY);
  for (const here of ['localhost', '127.0.0.1', '[::1]'])
    t.equal(taken(`https://${here}:9000`, { HTTPS_PROXY }), undefined, here);
  const direct: [entry: string, url: string, isDirect: boolean][] = [
    ['*', 'https://store.example', true],
    ['store.example', 'https://store.example', true],
    ['store.example', 'https://a.store.example', true],
    ['store.example', 'https://astore.example', false],
    ['.store.example', 'https://a.store.example', true],
    ['.store.example', 'https://store.example', false],
    ['*.store.example', 'https://a.store.example', true],
    ['other, store.example:443', 'https://store.example', true],
    ['store.example:444', 'https://store.example', false],
    ['10.0.0.0/8', 'https://10.1.2.3', true],
    ['10.0.0.0/8', 'https://11.1.2.3', false],
    ['10.1.2.3', 'https://10.1.2.3:9000', true],
    ['10.1.2.3:9000', 'https://10.1.2.3:9000', true],
    ['fd00::/8', 'https://[fd00::1]', true],
    ['fd00::1', 'https://[fd00::1]', true],
    ['10.0.0.0/99', 'https://10.1.2.3', false],
    ['', 'https://store.example', false],
  ];
  for (const [NO_PROXY, url, isDirect] of direct)
    t.equal(
      taken(url, { HTTPS_PROXY, NO_PROXY }),
      isDirect ? undefined : HTTPS_PROXY,
      `${url} with ${NO_PROXY}`,
    );
});

t.test('a proxy that only Litestream would take, or nobody, is refused without what it is', async (t) => {
  for (const HTTPS_PROXY of ['socks5://user:secret@proxy:1080', 'http://user:secret@[::bad', 'secret:secret'])
    t.throws(() => proxyOf(new URL('https://store.example'), { HTTPS_PROXY }), {
      code: 'config_invalid',
      message:
        'HTTPS_PROXY names a proxy that cannot be used: expected http://host:port or https://host:port',
    });
});

t.test('authorities are those of all three variables, and a file that is not there is told', async (t) => {
  const folder = temporaryFolder(t);
  const certificate = (name: string) => `-----BEGIN CERTIFICATE-----\nof ${name}`;
  const file = (name: string, text = certificate(name)) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const env = { SSL_CERT_FILE: file('a'), AWS_CA_BUNDLE: file('b'), NODE_EXTRA_CA_CERTS: file('c') };
  t.equal(namedAuthorities(env), ['a', 'b', 'c'].map(certificate).join('\n'));
  t.equal(namedAuthorities({}), undefined);
  t.throws(() => namedAuthorities({ AWS_CA_BUNDLE: join(folder, 'd') }), {
    code: 'config_invalid',
    message: /^AWS_CA_BUNDLE names a file that cannot be read: ENOENT/,
  });
  t.throws(() => namedAuthorities({ SSL_CERT_FILE: file('e', 'DER') }), {
    code: 'config_invalid',
    message: `SSL_CERT_FILE names a file without a certificate in PEM: ${join(folder, 'e')}`,
  });
  t.equal(namedAuthorities({ SSL_CERT_FILE: file('f', '') }), '', 'an empty one keeps nobody from anything');
});
