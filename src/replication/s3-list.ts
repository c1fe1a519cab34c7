import type { Config } from '../config.ts';
import { requestS3, s3ErrorCode } from './s3-request.ts';

const TIMEOUT_MS = 20_000;

export interface S3ListOptions {
  readonly config: Pick<Config, 'S3_ENDPOINT' | 'AWS_REGION'>;
  readonly bucket: string;
  readonly prefix: string;
  /** Holds the credentials. */
  readonly env: NodeJS.ProcessEnv;
  /** For each page. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An object in a bucket. */
export interface StoredObject {
  readonly key: string;
  /** When it was stored, in milliseconds since the epoch, on the store's clock. */
  readonly storedMs: number;
  readonly sizeBytes: number;
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
      const storedMs = Date.parse(/<LastModified>([^<]+)</.exec(one)?.[1] ?? '');
      yield { key: last, storedMs, sizeBytes: Number(/<Size>(\d+)</.exec(one)?.[1] ?? 0) };
    }
    // Each page begins behind the last key of the one before.
    marker = /<IsTruncated>true</.test(text) && last !== marker ? last : undefined;
  } while (marker !== undefined);
}

export interface S3NamesOptions extends S3ListOptions {
  /** The name to begin with; undefined for the first. */
  readonly from: string | undefined;
}

/**
 * @returns the names directly under a prefix, which ends with a slash: of objects, and of what has objects below it
 * @throws Error when the store does not answer with a listing
 */
export async function listNames(options: S3NamesOptions): Promise<string[]> {
  const { prefix, from } = options;
  const names: string[] = [];
  // A page begins behind its marker; one that is a character shorter is just before the name.
  let marker = from === undefined ? undefined : `${prefix}${from.slice(0, -1)}`;
  do {
    const text = await list(options, marker, '/');
    const found = [...text.matchAll(/<(?:Key|Prefix)>([^<]+)</g)]
      .map(([, key = '']) => unescaped(key))
      .filter((key) => key.startsWith(prefix) && key !== prefix);
    names.push(...found.map((key) => key.slice(prefix.length).replace(/\/$/, '')));
    const last = found.toSorted().at(-1);
    marker = /<IsTruncated>true</.test(text) && last !== marker ? last : undefined;
  } while (marker !== undefined);
  return names;
}

async function list(
  { config, bucket, prefix, env, timeoutMs = TIMEOUT_MS, signal }: S3ListOptions,
  marker: string | undefined,
  delimiter?: string,
): Promise<string> {
  const query = {
    prefix,
    ...(marker !== undefined && { marker }),
    ...(delimiter !== undefined && { delimiter }),
  };
  const options = { config, credentials: env, timeoutMs, signal };
  const answer = await requestS3({ method: 'GET', bucket, query }, options).catch((cause: Error) => {
    throw new Error(`RequestError: ${cause.message}`, { cause });
  });
  if (answer.status === 200) return answer.text;
  throw new Error(`${s3ErrorCode(answer.text) ?? 'refused'}, status code: ${answer.status}`);
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
