import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseEnvironmentFile, readDotEnv } from '../../src/config/environment-file.js';
import { boot, noBoot } from '../support/boot.ts';
import { temporaryFolder, until } from '../support/system.ts';

const TEXT = String.raw`# a comment \
A=not this
; another
B=plain # not a comment
  C = "a b"${'  '}
D='x'"y\$z\n"
E=one\
two
F="several
lines"
G=p"w'd
H=
I=a\tb
J='it''s'
K=smtp://u:p#x@mail.example.org${'\r'}
not an assignment
L=last`;

t.test('an EnvironmentFile means what it means to systemd', { skip: noBoot }, async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'settings');
  const out = join(folder, 'out');
  writeFileSync(file, TEXT);
  const unit = `[Service]\nType=oneshot\nEnvironmentFile=${file}\nExecStart=/bin/sh -c 'env -0 > ${out}.part && mv ${out}.part ${out}'\n`;
  boot(t, folder, { 'probe.service': unit }, ['probe.service']);
  await until(() => existsSync(out), 'the unit has run');
  const given = readFileSync(out, 'utf8')
    .split('\0')
    .filter((line) => /^[A-Z]=/.test(line))
    .map((line) => [line.slice(0, 1), line.slice(2)]);
  t.equal(given.length, 11);
  t.same(parseEnvironmentFile(TEXT), Object.fromEntries(given));
});

t.test('a .env of an editor of Windows counts, and one that is no text in UTF-8 is refused', (t) => {
  const path = join(temporaryFolder(t), '.env');
  t.same(readDotEnv(path), {});
  writeFileSync(path, '\uFEFFPORT=1\r\nHOST="::1"\r\n');
  t.same(readDotEnv(path), { PORT: '1', HOST: '::1' });
  for (const bytes of [
    Buffer.from('\uFEFFPORT=1\n', 'utf16le'),
    Buffer.from('MAIL_FROM=J\xfcrgen', 'latin1'),
  ]) {
    writeFileSync(path, bytes);
    t.throws(() => readDotEnv(path), {
      message: `The settings in ${path} cannot be read (it is no text in UTF-8; save it as that)`,
      meaning: { exitCode: 78 },
    });
  }
  t.end();
});
