import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { command } from '../../cli/command.ts';
import { start, temporaryFolder } from '../../support/system.ts';
import { cannotInstall, longTier } from '../../support/tools.ts';

const run = promisify(execFile);
const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;
const SHOWN_MAX_CHARS = 4000;
/** Never ends. */
const STREAM = 'watchSystem';
/** A schema cannot say everything: a date that is past, bytes that are no image, a key that was used for another request. */
const NOT_MEANT = ['positive_data_acceptance'];
/** Only with keys is one needed here. */
const OF_KEYS = ['ignored_auth', 'negative_data_rejection', 'missing_required_header'];

t.test(
  'schemathesis finds nothing that is not as described, whatever the key',
  { skip: longTier },
  async (t) => {
    const folder = temporaryFolder(t);
    const missing =
      cannotInstall('python3', ['-m', 'venv', 'venv'], folder) ||
      cannotInstall('venv/bin/pip', ['install', 'schemathesis==4.*'], folder);
    if (missing) return t.skip(missing, () => {});
    const system = await start(t, {
      RATE_LIMIT_KEY_PER_MINUTE: '0',
      RATE_LIMIT_ADDRESS_PER_MINUTE: '0',
      OVERLOAD_LAG_MS: '0',
    });
    const test = async (who: string, headers: readonly string[], excluded: readonly string[] = NOT_MEANT) => {
      const checks = ['--checks', 'all', '--exclude-checks', excluded.join(',')];
      const options = [...checks, '--exclude-operation-id', STREAM, '--max-examples', '30', '--seed', '1'];
      const args = ['run', `${system.url}/openapi.json`, ...options, '--no-color', ...headers];
      const { stdout } = await run(join(folder, 'venv/bin/schemathesis'), args, {
        cwd: folder,
        maxBuffer: OUTPUT_MAX_BYTES,
      }).catch((error) => error);
      const summary = stdout.slice(stdout.lastIndexOf('= SUMMARY ='));
      t.match(summary, /\b([1-9]\d*) generated, \1 passed/, who);
      if (!t.notMatch(summary, /Failures:|Errors:/, who)) t.comment(stdout.slice(-SHOWN_MAX_CHARS));
    };
    await test('while there are no keys', [], [...NOT_MEANT, ...OF_KEYS]);
    const keyOf = async (scope: string) => {
      const args = ['keys', 'create', '--name', scope, '--scope', scope];
      return (await command(args, { DATA_DIR: system.dataDir })).stdout.trim();
    };
    for (const scope of ['read', 'write', 'admin', 'metrics']) {
      await test(scope, ['--header', `Authorization: Bearer ${await keyOf(scope)}`]);
    }
    await test('without a key', []);
  },
);
