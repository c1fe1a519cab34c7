import { randomUUID } from 'node:crypto';
import { readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config.ts';
import { makeFolder } from '../folder.js';
import type { Secrets } from '../secrets.ts';
import type { Replica } from './replica-url.ts';
import { requestS3, type S3Answer, s3BaseUrl, s3ErrorCode } from './s3-request.ts';

const TIMEOUT_MS = 10_000;

/** What a real write, read and removal of a small object said. */
export type ReplicaProbe =
  | {
      readonly ok: true;
      /** What the store's clock has beyond ours; undefined where no store tells its time. */
      readonly clockSkewMs: number | undefined;
    }
  | { readonly ok: false; readonly problem: string; readonly remedy: string; readonly clockSkewMs?: number };

/**
 * Writes a small object beside the replica, reads it back and removes it. Litestream ignores it, since it only looks
 * below `generations/`. Signed here rather than sent through Litestream: that would leave a generation behind, and
 * tells less of what went wrong.
 */
export async function probeReplica(config: Config, secrets: Secrets): Promise<ReplicaProbe> {
  const name = `.doctor-${randomUUID()}`;
  return config.replica.type === 'file'
    ? probeFolder(config.replica.path, name)
    : probeBucket(config, config.replica, secrets, name);
}

function probeFolder(folder: string, name: string): ReplicaProbe {
  const path = join(folder, name);
  try {
    const firstMade = makeFolder(folder);
    writeFileSync(path, name, { mode: 0o600 });
    const text = readFileSync(path, 'utf8');
    rmSync(path);
    if (firstMade !== undefined) removeEmpty(folder, firstMade);
    if (text !== name) throw new Error('what was written does not read back');
    return { ok: true, clockSkewMs: undefined };
  } catch (error) {
    return {
      ok: false,
      problem: `the folder cannot be written: ${(error as Error).message}`,
      remedy: 'Let this user write there, mount its disk, or set REPLICA_URL to another place.',
    };
  }
}

/** Undoes the making of a folder and of those above it, unless somebody uses them by now. */
function removeEmpty(folder: string, upTo: string): void {
  try {
    rmdirSync(folder);
  } catch {
    return;
  }
  if (folder !== upTo && dirname(folder) !== folder) removeEmpty(dirname(folder), upTo);
}

async function probeBucket(
  config: Config,
  { bucket, prefix }: Replica & { type: 's3' },
  credentials: Secrets,
  name: string,
): Promise<ReplicaProbe> {
  const key = prefix === '' ? name : `${prefix}/${name}`;
  let clockSkewMs: number | undefined;
  for (const method of ['PUT', 'GET', 'DELETE'] as const) {
    let answer: S3Answer;
    try {
      answer = await requestS3(
        { method, bucket, key, body: method === 'PUT' ? name : '' },
        { config, credentials, timeoutMs: TIMEOUT_MS },
      );
    } catch (error) {
      return {
        ok: false,
        problem: `${s3BaseUrl(bucket, config).host} cannot be reached: ${(error as Error).message}`,
        remedy: 'Check S3_ENDPOINT, the network and the name service.',
      };
    }
    const { status, text, atMs } = answer;
    if (atMs !== undefined) clockSkewMs = atMs - Date.now();
    const skew = clockSkewMs === undefined ? {} : { clockSkewMs };
    if (status < 200 || status > 299) return { ok: false, ...explain(method, status, text), ...skew };
    if (method === 'GET' && text !== name) {
      return {
        ok: false,
        problem: 'what was written does not read back',
        remedy: 'Check what stands at S3_ENDPOINT.',
      };
    }
  }
  return { ok: true, clockSkewMs };
}

const DOES = { PUT: 'writing', GET: 'reading', DELETE: 'removing' } as const;
const REMEDIES: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Make the bucket, or correct REPLICA_URL.',
  InvalidAccessKeyId: 'Correct AWS_ACCESS_KEY_ID.',
  SignatureDoesNotMatch: 'Correct AWS_SECRET_ACCESS_KEY.',
  RequestTimeTooSkewed: 'Set the clock of this machine; run a time service.',
  AuthorizationHeaderMalformed: 'Correct AWS_REGION.',
  PermanentRedirect: 'Correct AWS_REGION: the bucket is in another one.',
  AccessDenied: 'Allow this key s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there.',
};

function explain(method: keyof typeof DOES, status: number, text: string) {
  const code = s3ErrorCode(text);
  return {
    problem: `${DOES[method]} an object was answered with ${status}${code ? ` ${code}` : ''}`,
    remedy:
      (code && REMEDIES[code]) ||
      'Check REPLICA_URL, S3_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  };
}
