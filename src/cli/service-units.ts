import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';

const SERVICE_URL = new URL('../../config/ninelives.service', import.meta.url);
const SOCKET_URL = new URL('../../config/ninelives.socket', import.meta.url);
const TEMPLATE_ROOT = '/opt/ninelives';

export interface Unit {
  readonly name: string;
  readonly text: string;
}

export interface UnitOptions {
  readonly config: Config;
  /** Folder of the project, absolute. */
  readonly root: string;
  /** The program `ninelives`, absolute. */
  readonly program: string;
  /** The app's module, where `--app` has named it. */
  readonly app: string | undefined;
  /** The folder of `.env` and of relative paths, absolute. */
  readonly workingDirectory: string;
  readonly user: string;
  readonly group: string;
}

/**
 * @returns both units, filled in for this folder and user
 * @throws Failure usage when that cannot be done
 */
export function renderUnits(options: UnitOptions): readonly Unit[] {
  return [
    { name: 'ninelives.service', text: renderService(options) },
    { name: 'ninelives.socket', text: renderSocket(options.config) },
  ];
}

function renderService(options: UnitOptions): string {
  const { config, root, program, app, workingDirectory, user, group } = options;
  const { DATA_DIR } = config;
  for (const path of [root, program, app ?? '', workingDirectory, DATA_DIR]) checkPath(path);
  const ownNode = join(root, 'node_modules', '.bin', 'node');
  const node = existsSync(ownNode) ? ownNode : process.execPath;
  const writable = writableFolders(config);
  for (const path of writable) checkPath(path);
  const named = app === undefined ? '' : ` --app ${join(root, app)}`;
  const command = (name: string) => `${node} ${program} ${name}${named}`;
  return replaceAll(readFileSync(SERVICE_URL, 'utf8'), [
    [/^# A systemd unit(?:.*\n# )+.*\n/m, '# Written by `npx ninelives install-service`.\n'],
    [/^# ADAPT: where the project[^\n]*\n/m, ''],
    [/^# ADAPT: where the data is\.\n/m, ''],
    [`file:${TEMPLATE_ROOT}/README.md`, `file:${join(root, 'README.md')}`],
    [/^WorkingDirectory=.*$/m, `WorkingDirectory=${workingDirectory}`],
    [/^ExecStart=.*$/m, `ExecStart=${command('start')}`],
    [/^ExecReload=.*$/m, `ExecReload=${command('reload')}`],
    [/^User=.*$/m, `User=${user}`],
    [/^Group=.*$/m, `Group=${group}`],
    [/^Environment=DATA_DIR=.*$/m, `Environment=DATA_DIR=${DATA_DIR}`],
    [/^StateDirectory=.*\nStateDirectoryMode=.*$/m, `ReadWritePaths=${writable.join(' ')}`],
    // Where the code, or what it writes, is in a home folder, that cannot be hidden, only be made read-only.
    [
      /^ProtectHome=yes$/m,
      `ProtectHome=${[root, workingDirectory, node, ...writable].some(isHome) ? 'read-only' : 'yes'}`,
    ],
  ]);
}

/** @returns the folders that the service writes to; they must exist before it starts */
export function writableFolders({ DATA_DIR, replica }: Config): readonly string[] {
  const isOutside = replica.type === 'file' && !`${replica.path}/`.startsWith(`${DATA_DIR}/`);
  return isOutside ? [DATA_DIR, replica.path] : [DATA_DIR];
}

function renderSocket({ HOST, PORT }: Config): string {
  if (PORT === 0) throw new Failure('usage', 'A service needs a port that does not change: set PORT');
  const address = HOST.includes(':') ? `[${HOST}]` : HOST;
  if (!/^[\d.]+$|^\[/.test(address)) {
    throw new Failure('usage', `systemd listens on an address, not on a name: set HOST to that of ${HOST}`);
  }
  return replaceAll(readFileSync(SOCKET_URL, 'utf8'), [
    [/^# ADAPT: the address\. /m, '# '],
    [/^ListenStream=.*$/m, `ListenStream=${address}:${PORT}`],
  ]);
}

/** Each pattern must match: otherwise the template has changed, and the unit would be wrong. */
function replaceAll(text: string, changes: readonly (readonly [RegExp | string, string])[]): string {
  return changes.reduce((result, [from, to]) => {
    const changed = result.replace(from, () => to);
    if (changed === result && !(from instanceof RegExp && from.test(result)) && !result.includes(to)) {
      throw new Failure('internal', `The unit's template has no ${from}`);
    }
    return changed;
  }, text);
}

/** Refuses blanks, and what systemd takes for a specifier or a quote. */
function checkPath(path: string): void {
  if (/[\s%"'\\$]/.test(path)) {
    throw new Failure(
      'usage',
      `${path} has characters that a unit of systemd cannot hold; use another folder`,
    );
  }
}

function isHome(path: string): boolean {
  return /^\/(home|root|run\/user)(\/|$)/.test(path);
}
