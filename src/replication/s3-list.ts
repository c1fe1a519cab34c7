import { text as consume } from 'node:stream/consumers';
import type { Config } from '../config.ts';
import { http, https } from '../node-http.ts';
import { signS3 } from './s3-signature.ts';

const TIMEOUT_MS = 20_000;

export interface S3ListOptions {
  readonly config: Pick<Config, 'S3_ENDPOINT' | 'AWS_REGION'>;
  readonly bucket: string;
  readonly prefix: string;
  /** Holds the credentials. */
  readonly env: NodeJS.ProcessEnv;
}

/** An object in a bucket. */
export interface StoredObject {
  readonly key: string;
  /** When it was stored, in milliseconds since the epoch, on the store's clock. */
  readonly storedMs: number;
}

/**
 * Lists the objects of a bucket under a prefix. Only for what no Litestream can be asked.
 *
 * @throws Error when the store does not answer with a listing
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
 */
export async function* listObjects(options: S3ListOptions): AsyncGenerator<StoredObject> {
  let marker: string | undefined;
  do {
    const text = await list(options, marker);
    let last: string | undefined;
    for (const [, one = ''] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
      last = unescaped(/<Key>([^<]+)</.exec(one)?.[1] ?? '');
      yield { key: last, storedMs: Date.parse(/<LastModified>([^<]+)</.exec(one)?.[1] ?? '') };
    }
    // Each page begins behind the last key of the one before.
    marker = /<IsTruncated>true</.test(text) && last !== marker ? last : undefined;
  } while (marker !== undefined);
}

async function list(
  { config, bucket, prefix, env }: S3ListOptions,
  marker: string | undefined,
): Promise<string> {
  const { S3_ENDPOINT, AWS_REGION } = config;
  const base = S3_ENDPOINT ?? `https://${bucket}.s3.${AWS_REGION}.amazonaws.com`;
  const url = new URL(S3_ENDPOINT === undefined ? `${base}/` : `${base.replace(/\/+$/, '')}/${bucket}`);
  const query = { prefix, ...(marker !== undefined && { marker }) };
  // A space is %20 in what is signed, and not a plus.
  url.search = Object.entries(query)
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll(/[!'()*]/g, encodeCharacter)}`)
    .sort()
    .join('&');
  const headers = signS3(
    { method: 'GET', url, headers: {}, body: '' },
    {
      accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
      region: AWS_REGION,
      now: new Date(),
    },
  );
  let answer: { readonly status: number; readonly text: string };
  try {
    answer = await get(url, headers);
  } catch (error) {
    throw new Error(`RequestError: ${(error as Error).message}`, { cause: error });
  }
  const { status, text } = answer;
  if (status === 200) return text;
  throw new Error(`${/<Code>(\w+)</.exec(text)?.[1] ?? 'refused'}, status code: ${status}`);
}

/** Not by `fetch`, which refuses some ports, and is more than a start should have to load. */
function get(url: URL, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  const { request } = url.protocol === 'https:' ? https : http;
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const sent = request(url, { headers, agent: false, signal }, async (response) => {
    try {
      resolve({ status: response.statusCode ?? 0, text: await consume(response) });
    } catch (error) {
      reject(error);
    }
  });
  sent.on('error', (error) =>
    reject(signal.aborted ? new Error(`no answer within ${TIMEOUT_MS} ms`) : error),
  );
  sent.end();
  return promise;
}

/** A key may hold an apostrophe or an ampersand, which XML spells otherwise. */
function unescaped(text: string): string {
  const spelled: Readonly<Record<string, string>> = {
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    apos: "'",
    '#39': "'",
  };
  return text.replaceAll(/&(amp|lt|gt|quot|apos|#39);/g, (whole, name: string) => spelled[name] ?? whole);
}

function encodeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
