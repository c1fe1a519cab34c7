import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Replica } from '../../config/replica-url.ts';
import {
  agentFor,
  isPathStyle,
  REACH_VARIABLES,
  type StoreSettings,
  stampOfFiles,
  storeUrl,
} from './reach.ts';
import { REMEDIES } from './remedies.ts';
import {
  NO_STORE,
  type ReplicaStore,
  type Stored,
  type StoredFile,
  type StoreOptions,
  StoreRefusal,
} from './store.ts';

const require = createRequire(import.meta.url);
const TIMEOUT_MS = 20_000;
/** For a store that is busy or restarting; each attempt waits longer than the one before. */
const ATTEMPTS_MAX = 5;
/** Many requests at once, since a slow store takes long for each. */
const CONNECTIONS_MAX = 32;
/** Answers to a write whose condition failed: another write was first. A store may answer 409 to two at once. */
const REFUSALS: readonly unknown[] = ['PreconditionFailed', 'ConditionalRequestConflict', 'NoSuchKey'];

/** The answer to a range request of an empty object. */
const EMPTY_RANGE_STATUS = 416;

/**
 * One client for each combination of store, credentials, proxy and files: it keeps connections, and credentials of a
 * role.
 */
const clients = new Map<string, Connected>();

interface Connected {
  readonly client: S3Client;
  /** How far the store's clock was ahead of ours in its last answer; undefined before the first. */
  clockSkewMs: number | undefined;
}

/** A store's answer that refuses a request. */
interface Refusal {
  readonly code: string;
  readonly status: number;
}

/** Permissions, by their names in a policy. */
type Permission = `s3:${'GetObject' | 'PutObject' | 'DeleteObject' | 'ListBucket'}`;

type AskOptions = Omit<StoreOptions, 'timeoutMs'> & { readonly timeoutMs: number };

/** Loaded with the first request: the SDK takes 30 MB and a tenth of a second. */
function sdk() {
  return require('@aws-sdk/client-s3') as typeof import('@aws-sdk/client-s3');
}

/** A replica in a bucket. The message of an error is the reason, in Litestream's form (`CODE, status code: N`). */
export class S3Store implements ReplicaStore {
  readonly #options: AskOptions;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor({ timeoutMs = TIMEOUT_MS, ...options }: StoreOptions, replica: Replica & { type: 's3' }) {
    this.#options = { ...options, timeoutMs };
    // Refuses here what cannot be used.
    connect(options.config, options.env);
    this.#bucket = replica.bucket;
    this.#prefix = replica.prefix === '' ? '' : `${replica.prefix}/`;
  }

  /** Asked for with each request: a process that runs for months meets new authorities and new credentials. */
  get #connected(): Connected {
    return connect(this.#options.config, this.#options.env);
  }

  get clockSkewMs(): number | undefined {
    return this.#connected.clockSkewMs;
  }

  async names(folder: string, from?: string): Promise<readonly string[]> {
    const prefix = folder === '' ? this.#prefix : `${this.#prefix}${folder}/`;
    const names: string[] = [];
    // A page begins after its marker. The name without its last character sorts before the name.
    let marker = from === undefined ? undefined : `${prefix}${from.slice(0, -1)}`;
    do {
      const page = await this.#page(prefix, marker, '/');
      const objects = page.Contents?.flatMap(({ Key }) => Key ?? []) ?? [];
      const folders = page.CommonPrefixes?.flatMap(({ Prefix }) => Prefix ?? []) ?? [];
      const found = [...objects, ...folders].sort();
      for (const key of found) {
        if (key.startsWith(prefix) && key !== prefix) names.push(key.slice(prefix.length).replace(/\/$/, ''));
      }
      marker = nextMarker(page.IsTruncated, marker, found.at(-1));
    } while (marker !== undefined);
    return names;
  }

  /** @param after lists only files whose names sort after this one */
  async *files(folder: string, after?: string): AsyncGenerator<StoredFile> {
    const prefix = `${this.#prefix}${folder}/`;
    let marker = after === undefined ? undefined : `${this.#prefix}${after}`;
    do {
      const page = await this.#page(prefix, marker);
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
        const path = Key.slice(this.#prefix.length);
        yield { path, sizeBytes: Size, storedMs: LastModified?.getTime() ?? 0 };
      }
      marker = nextMarker(page.IsTruncated, marker, page.Contents?.at(-1)?.Key);
    } while (marker !== undefined);
  }

  async read(path: string): Promise<Stored | undefined> {
    return this.#ask('s3:GetObject', path, async (client, abortSignal) => {
      const answer = await unlessMissing(
        client.send(new (sdk().GetObjectCommand)(this.#object(path)), { abortSignal }),
      );
      return answer && { text: (await answer.Body?.transformToString()) ?? '', tag: ofStore(answer.ETag) };
    });
  }

  async has(path: string): Promise<boolean> {
    return this.#ask('s3:GetObject', path, async (client, abortSignal) => {
      // GET of the first bytes instead of HEAD: a refusal of HEAD has no body that says why.
      const command = new (sdk().GetObjectCommand)({ ...this.#object(path), Range: 'bytes=0-1' });
      try {
        const answer = await unlessMissing(client.send(command, { abortSignal }));
        if (answer) ofStore(answer.ETag);
        return ((await answer?.Body?.transformToByteArray())?.length ?? 0) > 0;
      } catch (error) {
        if (refusalOf(error)?.status === EMPTY_RANGE_STATUS) return false;
        throw error;
      }
    });
  }

  async write(path: string, text: string, over: Stored | undefined | 'any'): Promise<boolean> {
    const condition = over === 'any' ? {} : over === undefined ? { IfNoneMatch: '*' } : { IfMatch: over.tag };
    return this.#ask('s3:PutObject', path, async (client, abortSignal) => {
      // As a buffer: an empty string would be sent without its length, which stores may refuse.
      const Body = Buffer.from(text);
      // As Litestream sends it: a bucket with an object lock demands it.
      const ContentMD5 = createHash('md5').update(Body).digest('base64');
      const command = new (sdk().PutObjectCommand)({ ...this.#object(path), Body, ContentMD5, ...condition });
      try {
        ofStore((await client.send(command, { abortSignal })).ETag);
        return true;
      } catch (error) {
        const { code, status } = refusalOf(error) ?? {};
        if (over !== 'any' && (REFUSALS.includes(code) || status === 412 || status === 409)) return false;
        throw error;
      }
    });
  }

  async remove(path: string): Promise<void> {
    await this.#ask('s3:DeleteObject', path, (client, abortSignal) =>
      client.send(new (sdk().DeleteObjectCommand)(this.#object(path)), { abortSignal }),
    );
  }

  /**
   * Opens a file as a stream.
   * @param range the bytes to read, `to` included; undefined for all
   * @param signal aborts the read; there is no other time limit
   * @returns undefined where there is no such file
   */
  async open(
    path: string,
    range: { readonly from: number; readonly to: number } | undefined,
    signal: AbortSignal,
  ): Promise<Readable | undefined> {
    const Range = range && `bytes=${range.from}-${range.to}`;
    const command = new (sdk().GetObjectCommand)({ ...this.#object(path), Range });
    const { client } = this.#connected;
    try {
      const send = () => client.send(command, { abortSignal: signal });
      const answer = await unlessMissing(patiently(send, signal));
      if (answer) ofStore(answer.ETag);
      return answer?.Body as Readable | undefined;
    } catch (error) {
      throw signal.aborted ? signal.reason : reasoned(error, this.#need('s3:GetObject', path));
    }
  }

  #object(path: string) {
    return { Bucket: this.#bucket, Key: `${this.#prefix}${path}` };
  }

  /** Uses the older listing (ListObjects), as Litestream does: all stores know it. */
  async #page(Prefix: string, Marker: string | undefined, Delimiter?: string) {
    const command = new (sdk().ListObjectsCommand)({ Bucket: this.#bucket, Prefix, Marker, Delimiter });
    return this.#ask('s3:ListBucket', Prefix.slice(this.#prefix.length), async (client, abortSignal) => {
      const page = await client.send(command, { abortSignal });
      ofStore(page.Name ?? page.Prefix ?? page.MaxKeys ?? page.IsTruncated);
      return page;
    });
  }

  /** @returns the permission that the credentials need, and the object, for people: a single object may be denied */
  #need(permission: Permission, path: string): string {
    return `${permission} of s3://${this.#bucket}/${this.#prefix}${path}`;
  }

  /**
   * @param permission the permission that the request needs
   * @param path the object or folder of the request
   */
  async #ask<Result>(
    permission: Permission,
    path: string,
    ask: (client: S3Client, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { timeoutMs, signal } = this.#options;
    const { client } = this.#connected;
    const late = AbortSignal.timeout(timeoutMs);
    const either = signal ? AbortSignal.any([late, signal]) : late;
    try {
      return await patiently(() => ask(client, either), either);
    } catch (error) {
      if (!late.aborted || refusalOf(error)) throw reasoned(error, this.#need(permission, path));
      throw new Error(`RequestError: no answer within ${timeoutMs} ms`, { cause: error });
    }
  }
}

/** @returns the store's refusal; undefined for an error without an answer of the store */
function refusalOf(error: unknown): Refusal | undefined {
  const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  return status === undefined ? undefined : { code: name, status };
}

/**
 * Detects an answer of something else in the store's place, such as a proxy's page: it has status 200, but not the
 * mark.
 *
 * @param mark a part of the answer that every store sends
 * @throws StoreRefusal where the mark is missing
 */
function ofStore<Mark>(mark: Mark | undefined): Mark {
  if (mark !== undefined) return mark;
  throw new StoreRefusal(NO_STORE, 200, 'what answers there is no S3 store', undefined);
}

function connect(config: StoreSettings, env: NodeJS.ProcessEnv): Connected {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  const { AWS_SESSION_TOKEN: sessionToken } = env;
  const { AWS_REGION: region } = config;
  const endpoint = storeUrl(config).href;
  const forcePathStyle = isPathStyle(config);
  const ways = [endpoint, region, forcePathStyle, ...REACH_VARIABLES.map((variable) => env[variable])];
  const files = stampOfFiles(env);
  const name = JSON.stringify([accessKeyId, secretAccessKey, sessionToken, files, ...ways]);
  const known = clients.get(name);
  if (known) return known;
  const agent = agentFor(storeUrl(config), env, { maxSockets: CONNECTIONS_MAX });
  const client = new (sdk().S3Client)({
    region,
    // Overrides AWS_ENDPOINT_URL and ~/.aws/config: Litestream does not read these, and would use another store.
    endpoint,
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    forcePathStyle,
    // Without keys the SDK looks for the credentials of a role, in the order that all AWS tools use.
    ...(accessKeyId &&
      secretAccessKey && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) },
      }),
    // Else the SDK reads the files of credentials once in the life of the process. The client hands its settings on to what
    // reads them (SharedConfigInit), although its own type does not name this one; a test holds it.
    ...{ ignoreCache: true },
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: {
      httpAgent: agent,
      httpsAgent: agent as never,
      socketAcquisitionWarningTimeout: 2 ** 31 - 1,
    },
    // Not all stores know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const connected: Connected = { client, clockSkewMs: undefined };
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> };
      const atMs = Date.parse(headers?.date ?? '');
      if (!Number.isNaN(atMs)) connected.clockSkewMs = atMs - Date.now();
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  clients.set(name, connected);
  return connected;
}

/** @returns the marker of the next page; undefined at the end, and where the store repeats a page for ever */
function nextMarker(isTruncated: boolean | undefined, marker: string | undefined, last: string | undefined) {
  return isTruncated && last !== marker ? last : undefined;
}

/** Asks once more after a 503: a store that is busy but answers gets twice the attempts of one that is away. */
async function patiently<Result>(ask: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    if (refusalOf(error)?.status !== 503 || signal.aborted) throw error;
    return await ask().catch((again) => {
      // The first refusal says more than a timeout or a closed connection.
      throw signal.aborted || refusalOf(again) === undefined ? error : again;
    });
  }
}

/** @returns undefined where the object is missing; a missing bucket is an error */
async function unlessMissing<Value>(pending: Promise<Value>): Promise<Value | undefined> {
  try {
    return await pending;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal?.status === 404 && refusal.code !== 'NoSuchBucket') return undefined;
    throw error;
  }
}

/** @param need the permission that the request needs, for people */
function reasoned(cause: unknown, need: string): Error {
  if (cause instanceof StoreRefusal) return cause;
  const refusal = refusalOf(cause);
  if (refusal) {
    const { code, status } = refusal;
    // With wrong credentials everything is denied, so that a permission would mislead.
    const isKnown = REMEDIES[code]?.[0] !== 'credentials';
    const denied = status === 403 && isKnown ? ` for ${need}` : '';
    return new StoreRefusal(code, status, `${code}, status code: ${status}${denied}`, cause);
  }
  const { name, message, code } = cause as NodeJS.ErrnoException;
  if (name === 'CredentialsProviderError') {
    const code = 'NoCredentialProviders';
    return new StoreRefusal(code, undefined, `${code}: ${message}`, cause);
  }
  // The message is empty when several addresses have all failed. The hint on root CAs is removed: they are trusted
  // here.
  const reason = (message || String(code)).replace(/; if the root CA is installed locally, .*|\s+$/, '');
  return new Error(`RequestError: ${reason}`, { cause });
}
