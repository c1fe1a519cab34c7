import type { Agent as HttpAgent, IncomingMessage } from 'node:http';
import { text as consume } from 'node:stream/consumers';
import type { Config } from '../config.ts';
import { http, https } from '../node-http.ts';
import type { Secrets } from '../secrets.ts';
import { awsDomain } from './aws-domain.ts';
import { signS3 } from './s3-signature.ts';

export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  readonly bucket: string;
  /** Of an object; undefined for the bucket itself. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Conditions; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface S3Answer {
  readonly status: number;
  readonly text: string;
  /** What the store says that the time is; undefined when it does not. */
  readonly atMs: number | undefined;
  /** Names the content of an object; undefined where it does not tell. */
  readonly etag: string | undefined;
}

export interface S3Options {
  readonly config: Pick<Config, 'S3_ENDPOINT' | 'AWS_REGION'>;
  /** Holds the credentials. */
  readonly credentials: NodeJS.ProcessEnv | Secrets;
  readonly timeoutMs: number;
  /** Ends it before. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends one signed request to a store, for what no Litestream can be asked. Not by `fetch`, which refuses some ports, and
 * is more than a start should have to load.
 *
 * @throws Error when the store cannot be reached, or does not answer in time
 */
export async function requestS3(request: S3Request, options: S3Options): Promise<S3Answer> {
  const { timeoutMs } = options;
  const late = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([late, options.signal]) : late;
  try {
    const response = await openS3(request, { ...options, signal });
    const atMs = Date.parse(response.headers.date ?? '');
    return {
      status: response.statusCode ?? 0,
      text: await consume(response),
      atMs: Number.isNaN(atMs) ? undefined : atMs,
      etag: response.headers.etag,
    };
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    // Of several addresses that all fail the message is empty.
    const reason = late.aborted ? `no answer within ${timeoutMs} ms` : error.message || error.code;
    throw new Error(reason, { cause });
  }
}

export interface S3OpenOptions extends Omit<S3Options, 'timeoutMs' | 'signal'> {
  readonly signal: AbortSignal;
  /** A connection a request without. */
  readonly agent?: HttpAgent | undefined;
  /** Not signed. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * As `requestS3`, for an answer that is read piece by piece.
 * @throws the system's error when the store cannot be reached; the signal's when aborted
 */
export async function openS3(request: S3Request, options: S3OpenOptions): Promise<IncomingMessage> {
  const { config, credentials, signal, agent = false } = options;
  const { method, body = '', headers: conditions = {} } = request;
  const url = urlOf(request, config);
  const headers = signS3(
    { method, url, headers: conditions, body },
    {
      accessKeyId: credentials.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: credentials.AWS_SECRET_ACCESS_KEY ?? '',
      region: config.AWS_REGION,
      now: new Date(),
    },
  );
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { request: send } = url.protocol === 'https:' ? https() : http;
  const sent = send(url, { method, headers: { ...headers, ...options.headers }, agent, signal }, resolve);
  sent.on('error', reject);
  sent.end(body === '' ? undefined : body);
  return promise;
}

/** @returns what keeps connections to a store open, so many at a time */
export function s3Agent({ S3_ENDPOINT }: S3Options['config'], maxSockets: number): HttpAgent {
  const { Agent } = S3_ENDPOINT?.startsWith('http:') ? http : https();
  return new Agent({ keepAlive: true, maxSockets });
}

/** @returns the code of an error, such as NoSuchBucket, in what a store has answered */
export function s3ErrorCode(text: string): string | undefined {
  return /<Code>(\w+)<\/Code>/.exec(text)?.[1];
}

/** @returns what the URLs of a bucket begin with: at AWS it has a host name of its own */
export function s3BaseUrl(bucket: string, { S3_ENDPOINT, AWS_REGION }: S3Options['config']): URL {
  return new URL(S3_ENDPOINT ?? `https://${bucket}.s3.${AWS_REGION}.${awsDomain(AWS_REGION)}`);
}

/** By path at an endpoint of its own, as Litestream is configured for it; by host name at AWS. */
function urlOf({ bucket, key = '', query = {} }: S3Request, config: S3Options['config']): URL {
  const base = s3BaseUrl(bucket, config).href.replace(/\/+$/, '');
  const parts = [...(config.S3_ENDPOINT ? [bucket] : []), ...(key === '' ? [] : key.split('/'))];
  const url = new URL(`${base}/${parts.map(encoded).join('/')}`);
  url.search = Object.entries(query)
    .map(([name, value]) => `${name}=${encoded(value)}`)
    .sort()
    .join('&');
  return url;
}

/** What the signature wants: beyond encodeURIComponent too, and a space as %20, not as a plus. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
