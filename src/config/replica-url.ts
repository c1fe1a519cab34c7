import { isAbsolute, resolve } from 'node:path';

/** Where the replica lives: a folder, or a prefix in a bucket. */
export type Replica =
  | { readonly type: 'file'; readonly url: string; readonly path: string }
  | { readonly type: 's3'; readonly url: string; readonly bucket: string; readonly prefix: string };

/** The refusal of a wrong URL: what was expected instead. */
export interface Unusable {
  readonly expected: string;
}

const EXPECTED = 'expected file:/absolute/folder or s3://bucket/prefix';
const EXPECTED_S3 =
  "expected s3://bucket/prefix, the bucket of a-z, 0-9, . and -, the prefix of letters, digits and !_.*'()-/, no part of it empty or of dots alone";

/**
 * @param url `file:/folder`, `file:relative/folder` or `s3://bucket/prefix`
 * @param cwd the folder from which a relative `file:` path starts
 * @returns the replica, or what was expected instead
 */
export function parseReplicaUrl(url: string, cwd: string): Replica | Unusable {
  if (url.startsWith('file:')) {
    const path = url.slice('file:'.length).replace(/^\/\/(?=\/)/, '');
    if (path === '' || /^(?:\/\/|~)/.test(path)) return { expected: EXPECTED };
    const full = isAbsolute(path) ? resolve(path) : resolve(cwd, path);
    // Litestream would read the text after a `?` as options.
    return /[?\ufffd]/.test(full)
      ? { expected: `${EXPECTED}, without ? and in UTF-8` }
      : { type: 'file', url: `file:${full}`, path: full };
  }
  const s3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w!.*'()/-]*))?$/.exec(url);
  // Litestream would resolve dots in a path, while our own requests would not.
  if (!s3 || /\/\.{0,2}\/|\/\.{1,2}$/.test(s3[2] ?? '') || /^\.{1,2}(?:\/|$)/.test(s3[2] ?? ''))
    return { expected: url.startsWith('s3://') ? EXPECTED_S3 : EXPECTED };
  const bucket = s3[1] as string;
  const prefix = (s3[2] ?? '').replace(/^\/+|\/+$/g, '');
  return { type: 's3', url: `s3://${bucket}${prefix && `/${prefix}`}`, bucket, prefix };
}
