import { durationMsOf, expiryAtMsOf } from '../keys/expiry.ts';
import { newKey } from '../keys/schema.ts';
import { hashOf, newKeyId, newSecret, tokenOf } from '../keys/token.ts';
import { Failure } from '../platform/errors.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import type { Settled } from '../supervisor/release/settle.js';
import { readArguments } from './arguments.ts';
import { type KeyStore, withKeys } from './key-store.ts';
import { describeKeys } from './key-view.ts';

const USAGE = `Usage: ninelives keys create --name NAME --scope SCOPE [--owner OWNER] [--expires WHEN]
       ninelives keys list [--json]
       ninelives keys rotate KEY [--grace DURATION] [--expires WHEN] [--force]
       ninelives keys revoke KEY

  create   makes a key and shows it, once: only its hash is kept
  list     shows every key, also those that are revoked
  rotate   gives a key another secret, for the same owner and scope, and shows it once
  revoke   ends a key at once, and for good

  KEY         a key's id or its name
  --name      what you call it; also its owner, unless --owner says another
  --scope     read, write (and read), admin (and all that is for the operator), or metrics (GET /metrics alone)
  --owner     whose data it reaches; keys of one owner share them. --owner "" reaches what was made
              while there were no keys. A key for metrics has none
  --expires   a duration such as 30d, 12h or 10m, or an ISO date or time
  --grace     how long the secret before is still taken; 0m, if not given. Until then another rotate is refused
  --force     rotates all the same: the secret before the last rotation ends at once

  What changes keys waits for the replica, and says when that has not confirmed it.
  It works whether the system runs or not. With the first key, every request needs one, on this machine too.`;
const OPTIONS = {
  name: { type: 'string' },
  scope: { type: 'string' },
  owner: { type: 'string' },
  expires: { type: 'string' },
  grace: { type: 'string' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Options = ReturnType<typeof readArguments<typeof OPTIONS>>;
/** Calls a function with the keys, as `withKeys` does. */
type OpenKeys = <Result>(use: (store: KeyStore) => Promise<Result>) => Promise<Result>;

interface Action {
  readonly takes: readonly (keyof Options)[];
  readonly takesKey: boolean;
  readonly run: (open: OpenKeys, options: Options, key: string) => Promise<void>;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  create: { takes: ['name', 'scope', 'owner', 'expires'], takesKey: false, run: create },
  list: { takes: ['json'], takesKey: false, run: list },
  rotate: { takes: ['grace', 'expires', 'force'], takesKey: true, run: rotate },
  revoke: { takes: [], takesKey: true, run: revoke },
};

/**
 * Creates, lists, rotates and revokes keys.
 * @param args what follows the command's name
 * @throws Failure usage, invalid_request, not_found, or why there is no writer
 */
export async function keys(
  args: readonly string[],
  invocation: Invocation,
  settled?: Settled,
): Promise<void> {
  const [word = '', ...rest] = args;
  if (word === '--help' || word === '-h') {
    console.log(USAGE);
    return;
  }
  const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
  if (action === undefined) throw wrongUse(word ? `keys has no ${word}` : 'What shall be done?');
  const hasKey = action.takesKey && rest[0] !== undefined && !rest[0].startsWith('-');
  const options = readArguments(hasKey ? rest.slice(1) : rest, OPTIONS, USAGE);
  if (options.help) {
    console.log(USAGE);
    return;
  }
  if (action.takesKey && !hasKey) throw wrongUse(`keys ${word} needs the id or the name of a key`);
  const foreign = (Object.keys(options) as (keyof Options)[]).find((name) => !action.takes.includes(name));
  if (foreign) throw wrongUse(`keys ${word} does not take --${foreign}`);
  const open: OpenKeys = (use) => withKeys(invocation, settled, use);
  await action.run(open, options, hasKey ? (rest[0] as string) : '');
}

async function create(open: OpenKeys, options: Options): Promise<void> {
  const { name, scope, owner = name, expires } = options;
  if (scope === 'metrics' && options.owner !== undefined)
    throw wrongUse('--owner: a key for metrics reaches the data of nobody');
  const token = { id: newKeyId(), secret: newSecret() };
  const expiresAtMs = expires === undefined ? null : expiryOf(expires);
  const secretHash = hashOf(token.secret).toString('hex');
  const input = newKey.safeParse({ id: token.id, name, owner, scope, secretHash, expiresAtMs });
  if (!input.success) {
    const lines = input.error.issues.map(({ path, message }) => `--${String(path[0])}: ${message}`);
    throw wrongUse(lines.join('\n'));
  }
  const { dataDir } = await change(open, 'create', input.data);
  show(tokenOf(token), `The key ${name}`, dataDir);
}

async function list(open: OpenKeys, { json = false }: Options): Promise<void> {
  const { listed, dataDir } = await open(async (store: KeyStore) => ({
    listed: store.list(),
    dataDir: store.dataDir,
  }));
  console.log(json ? JSON.stringify(listed, undefined, 2) : describeKeys(listed, dataDir, Date.now()));
}

async function rotate(open: OpenKeys, { grace = '0m', expires, force }: Options, key: string): Promise<void> {
  const secret = newSecret();
  const graceMs = durationMsOf(grace);
  if (graceMs === undefined) throw wrongUse('--grace: expected a duration such as 30d, 12h or 10m');
  const secretHash = hashOf(secret).toString('hex');
  const input = {
    key,
    secretHash,
    graceMs,
    ...(expires !== undefined && { expiresAtMs: expiryOf(expires) }),
    ...(force && { force }),
  };
  const { id, name, dataDir } = await change(open, 'rotate', input);
  show(tokenOf({ id, secret }), `The new secret of the key ${name}`, dataDir);
}

async function revoke(open: OpenKeys, _options: Options, key: string): Promise<void> {
  const { id, name, dataDir } = await change(open, 'revoke', { key });
  console.log(`revoked ${name} (${id}) in ${dataDir}`);
}

/**
 * Writes, waits for the replica, and warns when a loss of this disk would undo the write.
 * @returns which key it was, where the command says so, and where the keys are
 */
async function change(
  open: OpenKeys,
  command: string,
  input: unknown,
): Promise<{ id: string; name: string; dataDir: string }> {
  return open(async ({ dataDir, write, isReplicated }) => {
    const value = (await write(command, input)) as { id: string; name: string };
    if (!(await isReplicated())) {
      console.error(
        'WARNING: The replica has not confirmed this yet: it is on this disk alone, and a restore would not know of it. ninelives status tells when all is replicated.',
      );
    }
    return { ...value, dataDir };
  });
}

/** Only the key goes to standard output, so that a script can read it from there. */
function show(token: string, what: string, dataDir: string): void {
  console.error(`${what}, in ${dataDir}. It is shown only this once; send it as Authorization: Bearer <key>`);
  console.log(token);
}

function expiryOf(text: string): number {
  const atMs = expiryAtMsOf(text, Date.now());
  if (atMs === undefined)
    throw wrongUse('--expires: expected a duration such as 30d, or an ISO date to come');
  return atMs;
}

function wrongUse(message: string): Failure {
  return new Failure('usage', `${message}\n\n${USAGE}`);
}
