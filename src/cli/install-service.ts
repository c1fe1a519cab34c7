import { execFileSync } from 'node:child_process';
import { chownSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import { makeFolder } from '../platform/folder.js';
import { isWritable } from '../platform/writable.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { absolutePath, readArguments } from './arguments.ts';
import { refuseMisplaced } from './misplaced.ts';
import { renderUnits, type Unit, writableFolders } from './service-units.ts';

const USAGE = `Usage: ninelives install-service [--user USER] [--yes | --dir DIR]

  Shows the units of systemd for this folder: the service, and the socket that holds its port while it restarts.

  --user USER   that it runs as; the owner of this folder unless told
  --yes         writes them to /etc/systemd/system
  --dir DIR     writes them to another folder, to look at or to package`;
const OPTIONS = {
  user: { type: 'string' },
  yes: { type: 'boolean', default: false },
  dir: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;
const SYSTEM_DIR = '/etc/systemd/system';

/**
 * Shows or writes the units.
 * @param args what follows the command's name
 * @throws Failure usage, config_invalid for misplaced files, or not_permitted when SYSTEM_DIR is not writable
 */
export async function installService(args: readonly string[], invocation: Invocation): Promise<void> {
  const { user, yes, dir, help } = readArguments(args, OPTIONS, USAGE);
  if (help) {
    console.log(USAGE);
    return;
  }
  if (yes && dir !== undefined) throw new Failure('usage', `--yes or --dir, not both\n\n${USAGE}`);
  const { root, installation, program, app } = invocation;
  const { config } = loadConfig(process.env, installation);
  refuseMisplaced(invocation, config.DATA_DIR);
  const runAs = user ?? nameOf(statSync(root).uid);
  const units = renderUnits({ config, root, program, app, workingDirectory: installation, ...owner(runAs) });
  if (runAs === 'root') console.error('It would run as root. Better name a user without rights: --user USER');
  if (dir !== undefined) {
    const folder = absolutePath(invocation, dir);
    makeFolder(folder, 0o755);
    write(units, folder);
    return;
  }
  for (const { name, text } of units) console.log(`# ${join(SYSTEM_DIR, name)}\n${text}`);
  if (!yes) {
    console.error('Nothing is written yet. To write both: npx ninelives install-service --yes');
    return;
  }
  const again = `sudo ${process.execPath} ${program} install-service --yes`;
  if (!isWritable(SYSTEM_DIR)) {
    throw new Failure('not_permitted', `${SYSTEM_DIR} is not writable for this user. Run:\n  ${again}`);
  }
  makeFolders(writableFolders(config), runAs);
  write(units, SYSTEM_DIR);
  console.error(
    'Next: systemctl daemon-reload && systemctl enable --now ninelives.socket ninelives.service\n' +
      'Settings and credentials: .env in this folder, or /etc/ninelives.env, mode 0600.',
  );
}

/** Folders that exist stay as they are. */
function makeFolders(folders: readonly string[], user: string): void {
  for (const folder of folders) {
    if (makeFolder(folder) === undefined) continue;
    chownSync(folder, Number(ask(['-u', user], user)), Number(ask(['-g', user], user)));
  }
}

function write(units: readonly Unit[], folder: string): void {
  for (const { name, text } of units) {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o644 });
    console.error(`wrote ${path}`);
  }
}

/** @throws Failure usage when there is no such user */
function owner(user: string): { user: string; group: string } {
  if (!/^[a-z_][a-z0-9_-]*\$?$/i.test(user)) throw new Failure('usage', `${user} is no name of a user`);
  return { user, group: ask(['-gn', user], user) };
}

function nameOf(uid: number): string {
  const own = userInfo();
  return own.uid === uid ? own.username : ask(['-un', String(uid)], String(uid));
}

function ask(args: readonly string[], user: string): string {
  try {
    return execFileSync('id', [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch (cause) {
    throw new Failure('usage', `There is no user ${user} on this machine; name one with --user`, { cause });
  }
}
