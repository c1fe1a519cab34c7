import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { temporaryFolder } from '../support/system.ts';
import { BIN, oneSentence } from './data-folder-fixture.ts';

/** Of a spin. */
const TIMEOUT_MS = 20_000;
/** `nobody`, who owns nothing. */
const NOBODY = 65_534;
const WRITING = ['start', 'keys create --name a --scope read', 'restore --in-place'];
const LOOKING = ['status', 'reload', 'stop', 'events'];
const NEEDING_DATABASE = ['verify', 'keys list'];

interface Case {
  readonly name: string;
  /** Prepares a data folder in a folder. @returns its path */
  readonly make: (folder: string) => string;
  readonly remedy: RegExp;
  /** Of a command that only looks. */
  readonly looking: number;
  readonly as?: 'nobody' | 'read-only';
}

/** Owned by root, in a folder that everybody may enter. */
function foreign(folder: string, name: string, mode: number): string {
  const path = join(folder, name);
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}

const CASES: readonly Case[] = [
  {
    name: 'a file',
    make: (folder) => {
      writeFileSync(join(folder, 'file'), '');
      return join(folder, 'file');
    },
    remedy: /is no folder: set DATA_DIR/,
    looking: 73,
  },
  {
    name: 'below a file',
    make: (folder) => {
      writeFileSync(join(folder, 'file'), '');
      return join(folder, 'file', 'data');
    },
    remedy: /is no folder: set DATA_DIR/,
    looking: 73,
  },
  {
    name: 'one with a file in the place of a folder',
    make: (folder) => {
      mkdirSync(join(folder, 'data'));
      writeFileSync(join(folder, 'data', 'run'), '');
      return join(folder, 'data');
    },
    remedy: /needs a folder at \S+\/run, where something else is: move that away/,
    looking: 73,
  },
  ...['main.db', 'main.db-wal'].map((name) => ({
    name: `one with a folder in the place of ${name}`,
    make: (folder: string) => {
      mkdirSync(join(folder, 'data', name), { recursive: true });
      return join(folder, 'data');
    },
    remedy: new RegExp(`${name} is a folder, and should be a file of a database: move it away`),
    looking: 75,
  })),
  {
    name: 'one with a named pipe in the place of main.db',
    make: (folder) => {
      mkdirSync(join(folder, 'data'));
      execFileSync('mkfifo', [join(folder, 'data', 'main.db')]);
      return join(folder, 'data');
    },
    remedy: /main\.db is no file, and should be a file of a database: move it away/,
    looking: 75,
  },
  {
    name: 'a link to nothing',
    make: (folder) => {
      symlinkSync('/nowhere/at-all', join(folder, 'link'));
      return join(folder, 'link');
    },
    remedy: /cannot be made, or is a link to nothing: set DATA_DIR/,
    looking: 73,
  },
  { name: 'below /proc', make: () => '/proc/ninelives', remedy: /cannot be made/, looking: 75 },
  { name: '/proc', make: () => '/proc', remedy: /cannot be made/, looking: 75 },
  {
    name: "another user's, and closed",
    make: (folder) => foreign(folder, 'data', 0o700),
    remedy: /is closed to this user \(id 65534\), see \S+: run as its owner, or chown/,
    looking: 73,
    as: 'nobody',
  },
  {
    name: "another user's, and open to read",
    make: (folder) => foreign(folder, 'data', 0o755),
    remedy: /is closed to this user \(id 65534\)/,
    looking: 75,
    as: 'nobody',
  },
  {
    name: "one's own, in which another user has run a system",
    make: (folder) => {
      const path = foreign(folder, 'data', 0o755);
      chownSync(path, NOBODY, NOBODY);
      foreign(path, 'run', 0o700);
      return path;
    },
    remedy: /is closed to this user \(id 65534\)/,
    looking: 73,
    as: 'nobody',
  },
  {
    name: "one's own, with another user's database",
    make: (folder) => {
      const path = foreign(folder, 'data', 0o755);
      chownSync(path, NOBODY, NOBODY);
      writeFileSync(join(path, 'main.db'), '', { mode: 0o600 });
      return path;
    },
    remedy: /is closed to this user \(id 65534\), see \S+main\.db: run/,
    looking: 75,
    as: 'nobody',
  },
  {
    name: "one's own, with another user's record of what ran",
    make: (folder) => {
      const path = foreign(folder, 'data', 0o755);
      const store = join(path, 'run', 'releases');
      mkdirSync(store, { recursive: true });
      for (const own of [path, join(path, 'run'), store]) chownSync(own, NOBODY, NOBODY);
      writeFileSync(join(store, 'current'), '{}', { mode: 0o600 });
      return path;
    },
    remedy: /is closed to this user \(id 65534\), see \S+current: run/,
    looking: 75,
    as: 'nobody',
  },
  {
    name: 'on a read-only file system',
    make: (folder) => foreign(folder, 'data', 0o700),
    remedy: /is on a read-only file system: mount it writable/,
    looking: 75,
    as: 'read-only',
  },
];

function runAs(as: Case['as'], dataDir: string, words: string): SpawnSyncReturns<string> {
  // tap's own hook would write where this user cannot.
  const own = ['env', '-u', 'NODE_OPTIONS', process.execPath, BIN, ...words.split(' '), ...APP_ARGUMENTS];
  const mounted = 'mount -t tmpfs -o ro none "$DATA_DIR" && exec "$@"';
  const wrapped = {
    nobody: ['setpriv', '--reuid', String(NOBODY), '--clear-groups', ...own],
    'read-only': ['unshare', '-rm', 'sh', '-c', mounted, 'sh', ...own],
  };
  const [program = '', ...args] = as ? wrapped[as] : own;
  const { PATH } = process.env;
  return spawnSync(program, args, {
    cwd: '/',
    env: { PATH, HOME: '/nowhere', DATA_DIR: dataDir, PORT: '0', LOG_FORMAT: 'json' },
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
}

function canBe(as: Case['as']): boolean {
  if (as === 'nobody') return process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0;
  return as === undefined || spawnSync('unshare', ['-rm', 'true']).status === 0;
}

for (const { name, make, remedy, looking, as } of CASES) {
  t.test(
    `a data folder that is ${name} is told in a sentence by every command`,
    {
      skip: canBe(as) ? false : 'needs to be root',
    },
    (t) => {
      const folder = temporaryFolder(t);
      chmodSync(folder, 0o755);
      const dataDir = make(folder);
      const isThere = existsSync(join(dataDir, 'main.db'));
      for (const words of WRITING) {
        const ran = runAs(as, dataDir, words);
        t.equal(ran.status, 73, `${words}: ${ran.stderr}`);
        oneSentence(t, ran, words);
        t.match(ran.stderr, remedy, words);
        t.ok(ran.stderr.includes(dataDir), words);
      }
      for (const words of LOOKING) {
        const ran = runAs(as, dataDir, words);
        // With a database, nothing may have happened yet.
        t.equal(ran.status, words === 'events' && isThere ? 0 : looking, `${words}: ${ran.stderr}`);
        oneSentence(t, ran, words);
      }
      for (const words of NEEDING_DATABASE) {
        const ran = runAs(as, dataDir, words);
        t.equal(ran.status, isThere ? 73 : looking, `${words}: ${ran.stderr}`);
        oneSentence(t, ran, words);
      }
      const doctor = runAs(as, dataDir, 'doctor');
      t.equal(doctor.status, 78, doctor.stderr);
      t.match(doctor.stdout, /^PROBLEM +(data folder|lock) /m);
      t.end();
    },
  );
}
