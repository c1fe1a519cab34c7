import t from 'tap';
import { smtpServerOf } from '../../src/config/smtp-url.ts';

t.test('a URL names a server, its login and how TLS is used', async (t) => {
  t.strictSame(smtpServerOf('smtp://user:p%40ss@mail.example.org'), {
    host: 'mail.example.org',
    port: 587,
    origin: 'smtp://mail.example.org:587',
    isSecure: false,
    credentials: { user: 'user', pass: 'p@ss' },
    requiresTls: true,
    ignoresTls: false,
    certificateName: undefined,
    verifiesCertificate: true,
    ownName: undefined,
  });
  const options =
    'requireTLS=true&tls.servername=mx.example.org&tls.rejectUnauthorized=false&name=me.example.org';
  t.strictSame(smtpServerOf(`smtps://[::1]:2525?${options}`), {
    host: '::1',
    port: 2525,
    origin: 'smtps://[::1]:2525',
    isSecure: true,
    credentials: undefined,
    requiresTls: true,
    ignoresTls: false,
    certificateName: 'mx.example.org',
    verifiesCertificate: false,
    ownName: 'me.example.org',
  });
  t.equal(smtpServerOf('smtp://u:p@127.0.0.1?ignoreTLS=true')?.ignoresTls, true, 'a password may stay here');
});

t.test('what is no such URL, or has an option that is not known, is none', async (t) => {
  for (const text of [
    'mail.example.org',
    'http://mail.example.org',
    'smtp://',
    'smtp://u:%zz@mail.example.org',
    'smtp://mail.example.org?tls.rejectUnauthorised=false',
    'smtp://mail.example.org?tls.rejectUnauthorized=no',
    'smtp://mail.example.org?constructor=true',
    'smtp://u:p@mail.example.org?ignoreTLS=true',
    'smtp://mail.example.org?ignoreTLS=true&requireTLS=true',
  ]) {
    t.equal(smtpServerOf(text), undefined, text);
  }
});
