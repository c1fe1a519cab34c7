import { StoreRefusal } from './store.ts';

export const CHECK_ALL =
  'Check REPLICA_URL, S3_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.';

const IN_ANOTHER_REGION = 'Correct AWS_REGION: the bucket is in another one.';

/** By what a store answers: whether that comes from the credentials, and what to do. */
export const REMEDIES: Readonly<Record<string, readonly [layer: 'credentials' | undefined, remedy: string]>> =
  {
    NoCredentialProviders: [
      'credentials',
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives credentials.',
    ],
    NoStore: [
      undefined,
      'Check S3_ENDPOINT, and whether a proxy or a page to log in on answers in its place.',
    ],
    NoSuchBucket: [undefined, 'Make the bucket, or correct REPLICA_URL.'],
    InvalidAccessKeyId: ['credentials', 'Correct AWS_ACCESS_KEY_ID.'],
    SignatureDoesNotMatch: ['credentials', 'Correct AWS_SECRET_ACCESS_KEY.'],
    ExpiredToken: [
      'credentials',
      'Renew AWS_SESSION_TOKEN, or take the credentials of a role, which renew themselves.',
    ],
    InvalidToken: ['credentials', 'Correct AWS_SESSION_TOKEN.'],
    RequestTimeTooSkewed: ['credentials', 'Set the clock of this machine; run a time service.'],
    AuthorizationHeaderMalformed: ['credentials', 'Correct AWS_REGION.'],
    PermanentRedirect: [undefined, IN_ANOTHER_REGION],
    TemporaryRedirect: [undefined, IN_ANOTHER_REGION],
    BucketRegionError: [undefined, IN_ANOTHER_REGION],
    AccessDenied: [
      undefined,
      'Allow these credentials s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there.',
    ],
  };

/** @returns what to do about what a store has refused; undefined where that is not known */
export function remedyOf({ code, status }: StoreRefusal): string | undefined {
  // A store may refuse without a word.
  return (REMEDIES[code] ?? (status === 403 ? REMEDIES.AccessDenied : undefined))?.[1];
}

/** @returns what has failed, and what to do about it where that is known */
export function advised(error: unknown): string {
  const { message, cause } = error as Error;
  const refusal = [error, cause].find((each) => each instanceof StoreRefusal);
  const remedy = refusal && remedyOf(refusal);
  return remedy === undefined ? message : `${message}. ${remedy}`;
}

/**
 * @param reason as Litestream has it: `CODE: text`, and then what only the store's own people can read
 * @returns the same in a line, with what to do where the code is known
 */
export function advisedReason(reason: string): string {
  const [text = ''] = reason.split(/\s*status code: /);
  const line = text
    .replaceAll(/\s+/g, ' ')
    .replace(/^(\w+): \1$/, '$1')
    .trim();
  const code = Object.keys(REMEDIES).find((each) => new RegExp(`(^|: )${each}(:|$)`).test(line));
  return code === undefined ? line : `${line.replace(/[.]$/, '')}. ${REMEDIES[code]?.[1]}`;
}
