import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import t from 'tap';
import { cleanEnv } from '../../src/testing/running-system.ts';
import { bare } from '../support/bare.ts';
import { temporaryFolder } from '../support/system.ts';
import { ENTRY, endQuietly } from './closed-output-fixture.ts';

const FULL = '/dev/full';

t.test(
  'an output that is full is told, and what was asked for is done',
  { skip: !existsSync(FULL) && `no ${FULL}` },
  (t) => {
    const DATA_DIR = temporaryFolder(t);
    const intoFull = (words: string) =>
      spawnSync(
        ...bare('sh', ['-c', `exec "$0" "$@" > ${FULL}`, process.execPath, ENTRY, ...words.split(' ')]),
        {
          env: { ...cleanEnv(), LITESTREAM_BIN: '', DATA_DIR, PORT: '8080' },
          encoding: 'utf8',
        },
      );
    for (const words of [
      'doctor',
      'keys create --name ops --scope admin',
      'events',
      'keys list',
      'install-service',
    ]) {
      const { status, stderr } = intoFull(words);
      t.equal(status, 74, words);
      t.ok(
        stderr.endsWith(
          'ninelives: The output could not be written: ENOSPC: no space left on device, write\n',
        ),
        `${words}: ${stderr}`,
      );
    }
    t.end();
  },
);

t.test('a reader that has gone ends what people read, without a stack', async (t) => {
  await endQuietly(t, [['status', '--watch'], ['doctor']]);
});
