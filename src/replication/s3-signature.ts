import { createHash, createHmac } from 'node:crypto';

export interface Signable {
  readonly method: string;
  /** Its path and its query encoded as they are sent, the query in the order of its names. */
  readonly url: URL;
  /** In lower case; `host` and `x-amz-…` beside them are made here. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Signer {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** Wall-clock time; a store refuses what is signed many minutes beside its own. */
  readonly now: Date;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/**
 * AWS Signature Version 4, in the `Authorization` header, for S3: the canonical request, its hash in the string to
 * sign, and a key derived from the secret by day, region and service ("Authenticating Requests" in the S3 API
 * reference).
 * @returns the headers to send
 */
export function signS3(request: Signable, { accessKeyId, secretAccessKey, region, now }: Signer) {
  const time = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const day = time.slice(0, 8);
  const bodyHash = sha256(request.body);
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.url.host,
    'x-amz-content-sha256': bodyHash,
    'x-amz-date': time,
  };
  const names = Object.keys(headers).sort();
  const signedNames = names.join(';');
  const canonical = [
    request.method,
    request.url.pathname,
    request.url.search.slice(1),
    ...names.map((name) => `${name}:${headers[name]?.trim()}`),
    '',
    signedNames,
    bodyHash,
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = [ALGORITHM, time, scope, sha256(canonical)].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    (parent, part) => hmac(parent, part),
    `AWS4${secretAccessKey}`,
  );
  const signature = hmac(key, text).toString('hex');
  return {
    ...headers,
    authorization: `${ALGORITHM} Credential=${accessKeyId}/${scope},SignedHeaders=${signedNames},Signature=${signature}`,
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
