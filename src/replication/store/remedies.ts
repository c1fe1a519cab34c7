export const CHECK_ALL =
  'Check REPLICA_URL, S3_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.';

/** By what a store answers: whether that comes from the credentials, and what to do. */
export const REMEDIES: Readonly<Record<string, readonly [layer: 'credentials' | undefined, remedy: string]>> =
  {
    NoCredentialProviders: [
      'credentials',
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives credentials.',
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
    PermanentRedirect: [undefined, 'Correct AWS_REGION: the bucket is in another one.'],
    AccessDenied: [
      undefined,
      'Allow these credentials s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there.',
    ],
  };
