import { existsSync, realpathSync } from 'node:fs';
import { isIP } from 'node:net';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { Failure, type FieldError } from '../platform/errors.ts';
import { parseMailbox } from '../platform/mail-address.ts';
import { defaultProcesses } from './default-processes.ts';
import { failoverErrors, type PeerAddress, parsePeerAddress } from './failover.ts';
import { NOTIFY_FORMATS } from './notify-formats.ts';
import { type OpsAddress, parseOpsAddress, SOCKET_PATH_MAX_BYTES } from './ops-address.ts';
import { parseReplicaUrl, type Replica } from './replica-url.ts';
import { REPLICA_SECRETS, SECRET_NAMES, type SecretName, type Secrets } from './secrets.ts';
import { unknownSettings } from './settings-file.ts';
import { smtpServerOf } from './smtp-url.ts';
import { parseProxy } from './trusted-proxies.ts';
import { wholeNumber } from './whole-number.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const YEAR_SECONDS = 365 * 24 * 3600;

/** A whole number with its range and default; its unit is part of the setting's name. */
function whole(min: number, max: number, fallback: number) {
  return z.string().default(String(fallback)).pipe(wholeNumber(min, max));
}

function choice<const Values extends readonly [string, ...string[]]>(
  values: Values,
  fallback: Values[number],
) {
  return z.enum(values, `expected one of ${values.join(', ')}`).default(fallback as never);
}

const EMPTY_ID = /^[0-9a-f]{8}$/;

/** 1 is accepted, because earlier releases took it: a start that needs an id names it. */
const emptyId = z
  .string()
  .refine((text) => ['0', '1'].includes(text) || EMPTY_ID.test(text), 'expected the id that a start has told')
  .default('0')
  .transform((text) => (text === '0' ? undefined : text));

/** A possible host name or bracketed IPv6 address: no pattern, as in https://*.example.org, and no empty label. */
const HOST_NAME = /^(?:\w(?:[\w-]*\w)?(?:\.\w(?:[\w-]*\w)?)*\.?|\[[\da-f:.]+\])$/i;

/** Paths are appended to a base URL: a query or a fragment would swallow them, and credentials would be shown. */
function isBaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { username, password, search, hash, hostname, port } = new URL(text);
  const isPlain = `${username}${password}${search}${hash}` === '' && !/[?#]/.test(text);
  return isPlain && HOST_NAME.test(hostname) && port !== '0';
}

const httpUrl = z
  .url({ protocol: /^https?$/, message: 'expected an http:// or https:// URL' })
  .refine(isBaseUrl, 'expected a URL of a host, without credentials, query and fragment');

/** A secret URL to which something is sent: its path, query and credentials may all be part of the secret. */
const secretUrl = z.string().refine(isWebUrl, 'expected an http:// or https:// URL').optional();

function isWebUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, port } = new URL(text);
  return /^https?:$/.test(protocol) && HOST_NAME.test(hostname) && port !== '0';
}

/** @returns whether the text is an address, or a host name by RFC 1123 2.1, to listen on */
function isHost(text: string): boolean {
  if (isIP(text.replace(/%[\w.-]+$/, '')) !== 0) return true;
  const isName =
    /^(?=.{1,253}$)[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*\.?$/i;
  // Digits and dots alone are a wrong address.
  return isName.test(text) && !/^[\d.]+$/.test(text);
}

/** @returns whether an SMTP URL has only a server and options; any other part would silently be ignored */
function isServerAlone(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { hostname, port, pathname, hash } = new URL(text);
  return HOST_NAME.test(hostname) && port !== '0' && (pathname === '' || pathname === '/') && hash === '';
}

function isAddress(text: string): boolean {
  const mailbox = parseMailbox(text);
  return mailbox !== undefined && mailbox.address === text;
}

/** A leading ~ is refused: only a shell replaces it by the home folder. */
const NOT_HOME = /^(?!~)/;
const EXPECTED_PATH = 'expected a path; ~ is not the home folder here';

/** In each pair, the first must not be larger than the second. */
const ORDERED = [['RESTART_BACKOFF_MIN_MS', 'RESTART_BACKOFF_MAX_MS']] as const;

/** Origins exactly as browsers send them (RFC 6454 6.2), or `*` alone. */
const origins = z
  .string()
  .default('')
  .transform((text) => text.split(/[\s,]+/).filter((origin) => origin !== ''))
  .refine(
    (list) => list.every(isOrigin) || (list.length === 1 && list[0] === '*'),
    'expected origins such as https://example.org, separated by commas, or *',
  );

function isOrigin(text: string): boolean {
  if (!/^https?:/.test(text) || !URL.canParse(text)) return false;
  const { origin, hostname } = new URL(text);
  return origin === text && HOST_NAME.test(hostname);
}

/** Addresses and networks, as `trustedProxies` takes them. */
const proxies = z
  .string()
  .default('')
  .transform((text, context) => {
    const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
    return entries.flatMap((entry) => {
      const parsed = parseProxy(entry);
      if (parsed !== undefined) return parsed;
      context.addIssue({
        code: 'custom',
        message: `expected addresses, networks such as 10.0.0.0/8, or unix, separated by commas; none larger than a /8, or a /7 of IPv6: ${entry}`,
      });
      return [];
    });
  });

/** A reload brings a change in: only processes that a reload replaces read it, or the primary reads it again. */
function onReload<Setting extends z.ZodType>(setting: Setting): Setting {
  return setting.meta({ changes: 'reload' });
}

/** Only a restart brings a change in. */
function onRestart<Setting extends z.ZodType>(setting: Setting): Setting {
  return setting.meta({ changes: 'restart' });
}

const PROCESSES = defaultProcesses();

/** Every setting of the chassis, and how a change takes effect. `.env.example` explains each. */
const SETTINGS = z.object({
  HOST: onRestart(
    z.string().refine(isHost, 'expected an IP address or a host name, without a port').default('127.0.0.1'),
  ),
  PORT: onRestart(whole(0, 65_535, 8080)),
  OPS_LISTEN: onRestart(z.string().optional()),
  PUBLIC_URL: onReload(httpUrl.optional()),
  HSTS_MAX_AGE_SECONDS: onReload(whole(0, 10 * YEAR_SECONDS, YEAR_SECONDS)),
  DATA_DIR: onRestart(z.string().regex(NOT_HOME, EXPECTED_PATH).default('./data')),
  WORKERS: onRestart(whole(1, 256, PROCESSES.workers)),
  SPARE_WORKERS: onRestart(whole(0, 4, PROCESSES.spares)),
  SMTP_URL: onReload(
    z
      .string()
      .refine(
        (text) => smtpServerOf(text) && isServerAlone(text),
        'expected smtp://[user:password@]host[:port][?options] or smtps://…, with no options but those of .env.example',
      )
      .optional(),
  ),
  SMTP_TIMEOUT_MS: onReload(whole(100, HOUR_MS, 30 * SECOND_MS)),
  SMTP_CONNECTIONS: onReload(whole(1, 100, 5)),
  MAIL_FROM: onReload(
    z
      .string()
      .refine((text) => parseMailbox(text), 'expected an address, or Name <address>')
      .optional(),
  ),
  NOTIFY_URL: onRestart(secretUrl),
  NOTIFY_FORMAT: onRestart(choice(NOTIFY_FORMATS, 'json')),
  NOTIFY_EMAIL: onRestart(z.string().refine(isAddress, 'expected one address').optional()),
  NOTIFY_AFTER_MS: onReload(whole(SECOND_MS, 24 * HOUR_MS, 5 * MINUTE_MS)),
  HEARTBEAT_URL: onRestart(secretUrl),
  HEARTBEAT_INTERVAL_MS: onReload(whole(SECOND_MS, 24 * HOUR_MS, MINUTE_MS)),
  HEARTBEAT_LAG_MAX_MS: onReload(whole(SECOND_MS, 24 * HOUR_MS, MINUTE_MS)),
  REPLICA_URL: onRestart(z.string().optional()),
  S3_ENDPOINT: onRestart(httpUrl.optional()),
  AWS_REGION: onRestart(
    z
      .string()
      .regex(/^[a-z0-9-]+$/, 'expected a region such as eu-central-1')
      .default('us-east-1'),
  ),
  S3_ADDRESSING: onRestart(choice(['auto', 'path', 'virtual'], 'auto')),
  ...replicaSecrets(),
  LITESTREAM_BIN: onRestart(z.string().regex(NOT_HOME, EXPECTED_PATH).optional()),
  REPLICA_SYNC_INTERVAL_MS: onRestart(whole(10, HOUR_MS, SECOND_MS)),
  REPLICA_STALL_TIMEOUT_MS: onRestart(whole(100, HOUR_MS, 6 * SECOND_MS)),
  REPLICA_BACKLOG_MAX_MB: onReload(whole(1, 1_000_000, 4096)),
  DISK_RESERVE_MB: onReload(whole(0, 1_000_000, 256)),
  REPLICA_STOP_TIMEOUT_MS: onRestart(whole(100, HOUR_MS, 5 * SECOND_MS)),
  REPLICA_SNAPSHOT_INTERVAL_MS: onRestart(whole(MINUTE_MS, 365 * 24 * HOUR_MS, 6 * HOUR_MS)),
  REPLICA_RETENTION_MS: onRestart(whole(MINUTE_MS, 365 * 24 * HOUR_MS, 72 * HOUR_MS)),
  FAILOVER: onRestart(choice(['off', 'lease'], 'off')),
  NODE_NAME: onRestart(
    z
      .string()
      .regex(/^[\w.-]{1,63}$/, 'expected letters, digits, . - and _')
      .optional(),
  ),
  LEASE_TTL_MS: onRestart(whole(3 * SECOND_MS, 10 * MINUTE_MS, 12 * SECOND_MS)),
  PEER_URL: onRestart(httpUrl.optional()),
  PEER_LISTEN: onRestart(z.string().optional()),
  PEER_SECRET: onRestart(z.string().min(32, 'expected 32 characters or more').optional()),
  DRILL_INTERVAL_MS: onRestart(whole(0, 30 * 24 * HOUR_MS, HOUR_MS)),
  DRILL_MAX_MB: onReload(whole(0, 1_000_000, 2048)),
  ALLOW_EMPTY: onReload(emptyId),
  HEAL: onRestart(choice(['auto', 'manual'], 'auto')),
  HEAL_MAX_LOST_COMMITS: onRestart(whole(0, 1_000_000_000_000, 1000)),
  LOG_LEVEL: onReload(choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info')),
  LOG_FORMAT: onRestart(choice(['auto', 'json', 'text'], 'auto')),
  START_TIMEOUT_MS: onReload(whole(100, HOUR_MS, 15 * SECOND_MS)),
  DRAIN_TIMEOUT_MS: onReload(whole(100, HOUR_MS, 10 * SECOND_MS)),
  HANG_TIMEOUT_MS: onReload(whole(200, HOUR_MS, 5 * SECOND_MS)),
  RESTART_INTENSITY: onRestart(whole(1, 1000, 5)),
  RESTART_WINDOW_MS: onRestart(whole(100, HOUR_MS, 30 * SECOND_MS)),
  BREAKER_RETRY_MS: onRestart(whole(100, 24 * HOUR_MS, 30 * SECOND_MS)),
  MEMORY_LIMIT_MB: onRestart(whole(0, 1_000_000, 512)),
  MAX_REQUESTS: onRestart(whole(0, 1_000_000_000_000, 0)),
  MAX_AGE_MS: onRestart(whole(0, 365 * 24 * HOUR_MS, 0)),
  OVERLOAD_LAG_MS: onReload(whole(0, HOUR_MS, 500)),
  RESTART_BACKOFF_MIN_MS: onRestart(whole(1, MINUTE_MS, 50)),
  RESTART_BACKOFF_MAX_MS: onRestart(whole(1, HOUR_MS, 5 * SECOND_MS)),
  WRITE_DEADLINE_MS: onReload(whole(10, HOUR_MS, 5 * SECOND_MS)),
  DURABILITY: onReload(choice(['local', 'replicated'], 'local')),
  REPLICATED_TIMEOUT_MS: onReload(whole(10, HOUR_MS, 10 * SECOND_MS)),
  IDEMPOTENCY_RETENTION_MS: onReload(whole(SECOND_MS, 30 * 24 * HOUR_MS, 24 * HOUR_MS)),
  WRITE_QUEUE_MAX: onReload(whole(1, 1_000_000, 10_000)),
  CORS_ORIGINS: onReload(origins),
  RATE_LIMIT_KEY_PER_MINUTE: onReload(whole(0, 1_000_000_000, 6000)),
  RATE_LIMIT_ADDRESS_PER_MINUTE: onReload(whole(0, 1_000_000_000, 300)),
  RATE_LIMIT_PUBLIC_PER_MINUTE: onReload(whole(0, 1_000_000_000, 3000)),
  TRUSTED_PROXIES: onReload(proxies),
  CONNECTION_QUEUE_MAX: onRestart(whole(1, 1_000_000, 10_000)),
});

/** Not validated here: Litestream and the store's client read them. */
function replicaSecrets() {
  const each = REPLICA_SECRETS.map((name) => [name, onRestart(z.string().optional())] as const);
  return Object.fromEntries(each) as Record<(typeof REPLICA_SECRETS)[number], z.ZodOptional<z.ZodString>>;
}

type Settings = z.infer<typeof SETTINGS>;

/** The settings that every process may know. Frozen; holds no secret. */
export interface Config
  extends Omit<Settings, SecretName | 'REPLICA_URL' | 'OPS_LISTEN' | 'PEER_LISTEN' | 'LOG_FORMAT'> {
  readonly LOG_FORMAT: 'json' | 'text';
  /** Absolute. */
  readonly DATA_DIR: string;
  readonly replica: Replica;
  /** Where the operator's routes are served, besides HOST and PORT. */
  readonly opsListen: OpsAddress;
  /** Where this system answers the other one; undefined when it does not. */
  readonly peerListen: PeerAddress | undefined;
  /** The mail server, such as `smtps://mail.example.org:465`, without credentials; undefined: DATA_DIR/outbox. */
  readonly smtpServer: string | undefined;
  /** Which missing settings keep mails from that server, in words; undefined when none is missing. */
  readonly mailPausedBecause: string | undefined;
  /** The app's settings as text, by name, without its secrets; the processes that have the app's code parse them. */
  readonly appSettings: Readonly<Record<string, string>>;
  /** Whether a setting names a receiver of notifications or heartbeats; a process of its own then sends them. */
  readonly notifies: boolean;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly secrets: Secrets;
}

/** @returns the name of every setting of the chassis. */
export function settingNames(): readonly string[] {
  return Object.keys(SETTINGS.shape);
}

/** @returns the name of every setting of the chassis whose change needs a restart. */
export function restartSettings(): readonly string[] {
  return Object.entries(SETTINGS.shape).flatMap(([name, setting]) =>
    setting.meta()?.changes === 'restart' ? [name] : [],
  );
}

/**
 * Reads and checks every setting of the chassis at once. An empty variable counts as unset. A name in `.env` that looks
 * like a typo of a setting is a mistake, too. No app can have a setting with such a name: see `checkApp`.
 *
 * @param env the environment, with `.env` already merged into it
 * @param installation the folder from which relative paths start, absolute
 * @throws Failure config_invalid with one entry for each wrong setting
 */
export function loadConfig(env: NodeJS.ProcessEnv, installation: string): LoadedConfig {
  const given = Object.fromEntries(
    settingNames().flatMap((name) => (env[name] ? [[name, env[name]] as const] : [])),
  );
  const parsed = SETTINGS.safeParse(given);
  const errors: FieldError[] = parsed.success
    ? []
    : parsed.error.issues.map((issue) => ({ field: String(issue.path[0]), message: issue.message }));

  errors.push(...unknownSettings(installation, settingNames()).slips);
  for (const [min, max] of ORDERED) {
    if (parsed.success && parsed.data[min] > parsed.data[max])
      errors.push({ field: min, message: `expected no more than ${max}, which is ${parsed.data[max]}` });
  }

  if (parsed.success && parsed.data.DURABILITY === 'replicated') {
    const { REPLICA_SYNC_INTERVAL_MS, REPLICATED_TIMEOUT_MS } = parsed.data;
    if (REPLICA_SYNC_INTERVAL_MS > REPLICATED_TIMEOUT_MS)
      errors.push({
        field: 'REPLICA_SYNC_INTERVAL_MS',
        message: `expected no more than REPLICATED_TIMEOUT_MS, which is ${REPLICATED_TIMEOUT_MS}, because DURABILITY is replicated`,
      });
  }

  if (given.NOTIFY_EMAIL !== undefined) {
    for (const field of ['SMTP_URL', 'MAIL_FROM'])
      if (!given[field]) errors.push({ field, message: 'expected a value, because NOTIFY_EMAIL is set' });
  }

  const dataDir = absolute(given.DATA_DIR ?? './data', installation);
  const socketBytes = Buffer.byteLength(join(dataDir, 'run', 'writer.sock'));
  if (socketBytes > SOCKET_PATH_MAX_BYTES) {
    const tooLongBytes = socketBytes - SOCKET_PATH_MAX_BYTES;
    errors.push({
      field: 'DATA_DIR',
      message: `expected a shorter path: by ${tooLongBytes} bytes, for its sockets`,
    });
  }
  // Node.js replaces bytes that are not UTF-8 by U+FFFD, which makes another path.
  if (/[?\ufffd]/.test(dataDir)) {
    errors.push({
      field: 'DATA_DIR',
      message: 'expected a path in UTF-8 and without ?, behind which Litestream reads none',
    });
  }
  const smtpServer = given.SMTP_URL === undefined ? undefined : smtpServerOf(given.SMTP_URL);
  const replica = parseReplicaUrl(given.REPLICA_URL ?? `file:${join(dataDir, 'replica')}`, installation);
  if ('expected' in replica) {
    if (given.REPLICA_URL !== undefined) errors.push({ field: 'REPLICA_URL', message: replica.expected });
  } else if (replica.type === 's3') errors.push(...missingCredentials(given));
  else if (isTakenIn(dataDir, absolute(replica.path, installation))) {
    errors.push({
      field: 'REPLICA_URL',
      message: `expected a folder of its own: ${replica.path} is for the system`,
    });
  }

  if (parsed.success)
    errors.push(...failoverErrors(parsed.data, 'expected' in replica ? 's3' : replica.type));

  const opsListen = parseOpsAddress(given.OPS_LISTEN, dataDir, installation);
  const opsProblem = 'expected' in opsListen ? opsListen.expected : clashOf(opsListen, parsed.data?.PORT);
  if (opsProblem !== undefined) errors.push({ field: 'OPS_LISTEN', message: opsProblem });

  if (!parsed.success || errors.length > 0 || 'expected' in replica || 'expected' in opsListen) {
    throw new Failure('config_invalid', 'The configuration is wrong', { errors });
  }
  const secrets = Object.fromEntries(
    SECRET_NAMES.flatMap((name) => (given[name] ? [[name, given[name]] as const] : [])),
  );
  const { REPLICA_URL: _replica, OPS_LISTEN: _ops, PEER_LISTEN, ...all } = parsed.data;
  const rest = withoutSecrets(all);
  const LOG_FORMAT = rest.LOG_FORMAT === 'auto' ? (process.stdout.isTTY ? 'text' : 'json') : rest.LOG_FORMAT;
  return {
    config: Object.freeze({
      ...rest,
      LOG_FORMAT,
      DATA_DIR: dataDir,
      ...(rest.LITESTREAM_BIN && { LITESTREAM_BIN: resolve(installation, rest.LITESTREAM_BIN) }),
      replica: Object.freeze(replica),
      opsListen: Object.freeze(opsListen),
      peerListen: PEER_LISTEN === undefined ? undefined : parsePeerAddress(PEER_LISTEN),
      smtpServer: smtpServer?.origin,
      mailPausedBecause: smtpServer && mailPausedBecause(given),
      // Filled in later: only the app's manifest names them.
      appSettings: Object.freeze({}),
      notifies: ['NOTIFY_URL', 'NOTIFY_EMAIL', 'HEARTBEAT_URL'].some((name) => given[name]),
    }),
    secrets: Object.freeze(secrets),
  };
}

function clashOf(ops: OpsAddress, port: number | undefined): string | undefined {
  if (ops.type !== 'tcp' || ops.port === 0 || ops.port !== port) return undefined;
  return `expected another port than PORT, which is ${port}`;
}

function withoutSecrets<All extends Partial<Record<SecretName, unknown>>>(all: All): Omit<All, SecretName> {
  const rest: Partial<All> = { ...all };
  for (const name of SECRET_NAMES) delete rest[name];
  return rest as Omit<All, SecretName>;
}

/** Without both of them, the credentials are those of a role. */
function missingCredentials(given: Record<string, string | undefined>): FieldError[] {
  const [id, key] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
  if (Boolean(given[id]) === Boolean(given[key])) return [];
  const [missing, present] = given[id] ? [key, id] : [id, key];
  return [{ field: missing, message: `expected a value, because ${present} is set` }];
}

/**
 * Recipients need a sender's address and links that work, whichever server takes the mail: also one on this machine
 * passes it on. Without these settings the sending process pauses. The start is not refused, since everything else
 * works.
 */
function mailPausedBecause(given: Record<string, string | undefined>): string | undefined {
  const missing = ['MAIL_FROM', 'PUBLIC_URL'].filter((name) => !given[name]);
  return missing.length === 0 ? undefined : `SMTP_URL needs ${missing.join(' and ')} too`;
}

/** Names that the system itself uses in a data folder. */
const TAKEN = /^(?:(?:run|restore|replaced|damaged|drill|mirror|outbox)(?:\/|$)|\.[^./]|[^/]+\.db(?:-|\/|$))/;

/** @returns whether a folder is the data folder, or a place in it that the system uses for something else */
function isTakenIn(dataDir: string, path: string): boolean {
  const below = relative(dataDir, path);
  return below === '' || TAKEN.test(below);
}

/** @returns the real path of a folder, also of a missing one, so that two names of it do not count as two systems */
function absolute(path: string, cwd: string): string {
  const full = resolve(cwd, path);
  if (existsSync(full)) return realpathSync(full);
  return dirname(full) === full ? full : join(absolute(dirname(full), cwd), basename(full));
}
