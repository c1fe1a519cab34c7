import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

interface Listing {
  readonly objects: readonly { readonly key: string }[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
}
interface ListOptions {
  readonly delimiter?: string;
  readonly prefix?: string;
  readonly startAfter?: string;
  readonly maxKeys?: number;
}

interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly content: Buffer | Readable;
  readonly metadata: unknown;
}

interface Found {
  readonly size: number;
  readonly range?: unknown;
  content: Readable | null;
}

/** The part of s3rver that is used here; s3rver has no types. */
interface S3Server {
  run(): Promise<AddressInfo>;
  close(): Promise<void>;
  readonly httpServer: { closeAllConnections(): void };
  readonly store: {
    listObjects(bucket: string, options: ListOptions): Promise<Listing>;
    putObject(object: Upload): Promise<{ size: number; md5: string }>;
    getObject(bucket: string, key: string, options?: unknown): Promise<Found | null>;
    getMetadata(bucket: string, key: string): Promise<{ readonly etag?: string }>;
    putMetadata(bucket: string, key: string, metadata: unknown, md5: string): Promise<void>;
    getResourcePath(bucket: string, key: string, resource: string): string;
  };
}
type S3ServerClass = new (options: {
  address: string;
  port: number;
  silent: boolean;
  directory: string;
  configureBuckets: { name: string }[];
}) => S3Server;

const CONDITIONS = ['if-match', 'if-none-match'] as const;
export type Condition = (typeof CONDITIONS)[number];

const S3rver: S3ServerClass = createRequire(import.meta.url)('s3rver');

export interface S3Store {
  /** The URL for S3_ENDPOINT. */
  readonly endpoint: string;
  readonly bucket: string;
  /** The folder that holds the bucket's objects as files. */
  readonly directory: string;
  readonly credentials: { readonly AWS_ACCESS_KEY_ID: string; readonly AWS_SECRET_ACCESS_KEY: string };
  /** Stops the server and keeps the objects. */
  close(): Promise<void>;
  /** Stops the server and removes everything. */
  destroy(): Promise<void>;
}

/**
 * s3rver 3.7.1 omits a common prefix from a listing when no object lies directly under it. Litestream's generations are
 * such prefixes: every replica would seem empty.
 */
function repairListing({ store }: S3Server): void {
  const list = store.listObjects.bind(store);
  store.listObjects = async (bucket, options) => {
    const { delimiter, prefix = '', maxKeys = Number.POSITIVE_INFINITY } = options;
    if (!delimiter) return list(bucket, options);
    const all = await list(bucket, { ...options, delimiter: '', maxKeys: Number.POSITIVE_INFINITY });
    const commonPrefixes = new Set<string>();
    const objects = all.objects.filter(({ key }) => {
      const end = key.indexOf(delimiter, prefix.length);
      if (end !== -1) commonPrefixes.add(key.slice(0, end + delimiter.length));
      return end === -1;
    });
    return {
      objects: objects.slice(0, maxKeys),
      commonPrefixes: [...commonPrefixes].sort(),
      isTruncated: objects.length > maxKeys,
    };
  };
}

/**
 * s3rver 3.7.1 keeps the received part of an upload that breaks off, and shows an object before it is whole. S3 does
 * neither, and Litestream relies on that: it cancels an upload when it is asked to end.
 */
function repairUpload({ store }: S3Server, evaluated: readonly Condition[]): void {
  const locked = oneByOne();
  const get = store.getObject.bind(store);
  // Locked, so that the metadata and the content of an object change together.
  store.getObject = (bucket, key, options) =>
    locked(async () => {
      const object = await get(bucket, key, options);
      // For a range of an empty object s3rver promises one byte. Without content it refuses the range, as S3 does.
      if (object?.size === 0 && object.range) {
        object.content?.destroy();
        object.content = null;
      }
      return object;
    });
  store.putObject = async ({ bucket, key, content, metadata }) => {
    const body = Buffer.isBuffer(content) ? content : await buffer(content);
    const md5 = createHash('md5').update(body).digest('hex');
    const path = store.getResourcePath(bucket, key, 'object');
    await mkdir(dirname(path), { recursive: true });
    const partPath = `${path}.${randomUUID()}`;
    await writeFile(partPath, body);
    await locked(async () => {
      await demandConditions(store, bucket, key, content, evaluated);
      await store.putMetadata(bucket, key, metadata, md5);
      await rename(partPath, path);
    }).finally(() => rm(partPath, { force: true }));
    return { size: body.length, md5 };
  };
}

/** @returns a function that runs its tasks one after the other */
function oneByOne(): <Result>(task: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const result = last.then(task);
    last = result.catch(() => {});
    return result;
  };
}

/**
 * Evaluates the conditions of a write, which s3rver ignores.
 * @param content the request, if it is one
 * @throws Error that is answered as 412, when the object is not as the writer expects it
 */
async function demandConditions(
  store: S3Server['store'],
  bucket: string,
  key: string,
  content: Upload['content'],
  evaluated: readonly Condition[],
): Promise<void> {
  const headers = 'headers' in content ? (content as IncomingMessage).headers : {};
  const [match, noneMatch] = (['if-match', 'if-none-match'] as const).map((condition) =>
    evaluated.includes(condition) ? headers[condition] : undefined,
  );
  if (match === undefined && noneMatch === undefined) return;
  const etag = await store.getMetadata(bucket, key).then(
    (metadata) => metadata.etag,
    () => undefined,
  );
  const isMet = match === undefined ? etag === undefined : etag === match;
  if (!isMet) throw Object.assign(new Error('The condition is not met'), { status: 412 });
}

/**
 * Starts a server in this process that speaks the S3 protocol, on a free port. It refuses an unknown access key, but
 * accepts any secret: it does not check the signatures that Litestream sends.
 * @param bucket made at the start
 * @param evaluated which conditions of a write it evaluates; most stores evaluate all
 */
export async function startS3Server(
  bucket = 'ninelives-test',
  evaluated: readonly Condition[] = CONDITIONS,
): Promise<S3Store> {
  const directory = mkdtempSync(join(tmpdir(), 'nl-s3-'));
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: bucket }],
  });
  repairListing(server);
  repairUpload(server, evaluated);
  const { port } = await server.run();
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= server.close();
    server.httpServer.closeAllConnections();
    return closed;
  };
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket,
    directory,
    credentials: { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' },
    close,
    async destroy() {
      await close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** @returns the settings that make a store the replica */
export function s3Environment({ bucket, endpoint, credentials }: S3Store, prefix: string): NodeJS.ProcessEnv {
  return { REPLICA_URL: `s3://${bucket}/${prefix}`, S3_ENDPOINT: endpoint, ...credentials };
}
