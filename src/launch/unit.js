// Plain JavaScript: the data folder has to be known before the code that runs is chosen.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { parseEnvironmentFile, readSettings } from '../config/environment-file.js';
import { EXIT_CONFIGURATION, EXIT_TRY_AGAIN, failure } from './failure.js';

const PROPERTIES = [
  'Id',
  'WorkingDirectory',
  'ExecStart',
  'Environment',
  'EnvironmentFiles',
  'User',
  'Group',
  'InvocationID',
];
const ANSWER_TIMEOUT_MS = 3000;
const ANSWER_MAX_BYTES = 16 * 1024 * 1024;
/** sd_booted(3). */
const BOOTED = '/run/systemd/system';

/**
 * @typedef {object} Unit a systemd service that starts this project
 * @property {string} name
 * @property {string} user empty for root
 * @property {string} group empty for the user's own group
 * @property {Readonly<Record<string, string>>} environment what the unit and its EnvironmentFiles set
 */

/**
 * Asks systemd for the service that starts this project, so that a command beside it uses the same data.
 * @param {readonly string[]} folders of the project, one of which is the unit's WorkingDirectory
 * @param {NodeJS.ProcessEnv} env
 * @returns {Unit | undefined} undefined when there is none, or when this process belongs to it
 * @throws an error when there are several, or when its settings cannot be read
 */
export function unitOf(folders, env) {
  const real = folders.map(realOf);
  const units = new Map(
    askSystemd()
      .filter((unit) => isStart(unit) && real.includes(realOf(workingDirectoryOf(unit))))
      .map((unit) => [one(unit, 'Id'), unit]),
  );
  const [unit, ...others] = units.values();
  if (unit === undefined) return undefined;
  if (others.length > 0) {
    throw failure(
      `${[...units.keys()].join(' and ')} all start this project: say by DATA_DIR=… which data is meant`,
      EXIT_CONFIGURATION,
    );
  }
  if (env.INVOCATION_ID && env.INVOCATION_ID === one(unit, 'InvocationID')) return undefined;
  return {
    name: one(unit, 'Id'),
    user: one(unit, 'User'),
    group: one(unit, 'Group'),
    environment: {
      ...Object.fromEntries(assignments(one(unit, 'Environment'))),
      ...Object.assign({}, ...(unit.get('EnvironmentFiles') ?? []).flatMap(settingsIn)),
    },
  };
}

/**
 * Goes on as the user of the unit: files that root makes in the data folder would be closed to the service.
 * @param {Unit} unit
 * @returns {boolean} whether this process was root's and has changed its user
 */
export function becomeUserOf({ user, group }) {
  if (process.getuid?.() !== 0 || user === '' || user === 'root' || user === '0') return false;
  const ids = (/** @type {string} */ option) =>
    execFileSync('id', [option, user], { encoding: 'utf8' }).trim().split(' ').map(Number);
  const [uid = 0] = ids('-u');
  const [gid = 0] = ids('-g');
  become(uid, /^\d*$/.test(group) ? Number(group || gid) : group, ids('-G'));
  return true;
}

/**
 * Lets root go on as the user that runs the system of a data folder: files that root makes there would be closed to it.
 * @param {string} dataDir
 * @param {string} project folder of the code, which that user has to read too
 */
export function becomeOwnerOf(dataDir, project) {
  // The user that started a system there made `run`; the data folder may be the administrator's.
  const owner = statOf(join(dataDir, 'run')) ?? statOf(dataDir);
  if (owner === undefined || owner.uid === 0) return;
  const { uid, gid } = owner;
  const { status, stdout } = spawnSync('id', ['-G', String(uid)], { encoding: 'utf8' });
  // A user without a name here, as of a container's volume, is in no other groups.
  const groups = status === 0 ? stdout.trim().split(' ').map(Number) : [gid];
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    readFileSync(join(project, 'package.json'));
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw failure(
      `${dataDir} belongs to the user with the id ${uid}, who cannot read the code: ${message}`,
      EXIT_CONFIGURATION,
    );
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
  become(uid, gid, groups);
}

/**
 * @param {number} uid
 * @param {number | string} gid
 * @param {readonly number[]} groups
 */
function become(uid, gid, groups) {
  process.setgroups?.([...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  try {
    process.env.HOME = userInfo().homedir;
  } catch {
    delete process.env.HOME;
  }
}

/** @param {string} path */
function statOf(path) {
  return statSync(path, { throwIfNoEntry: false });
}

/** @returns {Map<string, string[]>[]} the properties of each loaded service, and of ninelives.service */
function askSystemd() {
  const { status, stdout, stderr, error } = spawnSync(
    'systemctl',
    ['show', `--property=${PROPERTIES.join(',')}`, 'ninelives.service', '*.service'],
    { encoding: 'utf8', timeout: ANSWER_TIMEOUT_MS, maxBuffer: ANSWER_MAX_BYTES },
  );
  const reason = error?.message ?? stderr.trim().split('\n')[0];
  if (error && 'code' in error && error.code === 'ETIMEDOUT') {
    throw failure(
      `systemctl has not answered (${reason}): say by DATA_DIR=… which data is meant`,
      EXIT_TRY_AGAIN,
    );
  }
  if (status !== 0) {
    if (existsSync(BOOTED))
      console.error(`ninelives: systemctl cannot be asked (${reason}): the settings of a unit do not count`);
    return [];
  }
  return stdout.split('\n\n').map((block) => {
    /** @type {Map<string, string[]>} */
    const properties = new Map();
    for (const [, name = '', value = ''] of block.matchAll(/^(\w+)=(.*)$/gm)) {
      properties.set(name, [...(properties.get(name) ?? []), value]);
    }
    return properties;
  });
}

/**
 * Any other service of the project, such as that of a timer, has settings for its own work.
 * @param {Map<string, string[]>} unit
 */
function isStart(unit) {
  return / start( |$)/.test(one(unit, 'ExecStart'));
}

/**
 * @param {Map<string, string[]>} unit
 */
function workingDirectoryOf(unit) {
  const path = one(unit, 'WorkingDirectory').replace(/^!/, '');
  return isAbsolute(path) ? path : '/';
}

/**
 * @param {Map<string, string[]>} unit
 * @param {string} name
 */
function one(unit, name) {
  return unit.get(name)?.[0] ?? '';
}

/**
 * @param {string} text `NAME=value` and `"NAME=a value"`, as systemctl shows them
 * @returns {[string, string][]}
 */
function assignments(text) {
  return [...text.matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/g)].map(([, quoted, plain = '']) => {
    const whole =
      quoted === undefined ? plain : quoted.replace(/\\(.)/g, (_, letter) => ESCAPES[letter] ?? letter);
    const at = whole.indexOf('=');
    return [whole.slice(0, at), whole.slice(at + 1)];
  });
}

/** @type {Readonly<Record<string, string>>} */
const ESCAPES = { n: '\n', t: '\t' };

/**
 * @param {string} entry `/path (ignore_errors=yes)`
 * @returns {Record<string, string>[]}
 */
function settingsIn(entry) {
  const pattern = entry.replace(/ \(ignore_errors=\w+\)$/, '');
  const paths = /[*?[]/.test(pattern) ? globSync(pattern).sort() : [pattern];
  return paths.map((path) => parseEnvironmentFile(readSettings(path) ?? ''));
}

/** @param {string} path */
function realOf(path) {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
