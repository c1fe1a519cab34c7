import { StoreRefusal } from './store.ts';

export const CHECK_ALL =
  'Check REPLICA_URL, S3_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.';

const ROOM = 'Make room there, or have its quota raised.';
const IN_ANOTHER_REGION = 'Correct AWS_REGION: the bucket is in another one.';

/** By the error code of a store: whether the credentials are the cause, and what to do. */
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
    QuotaExceeded: [undefined, ROOM],
    InvalidObjectState: [
      undefined,
      "Have the store bring its objects back from the archive, and take away the bucket's rule that moves them there.",
    ],
    PermanentRedirect: [undefined, IN_ANOTHER_REGION],
    TemporaryRedirect: [undefined, IN_ANOTHER_REGION],
    BucketRegionError: [undefined, IN_ANOTHER_REGION],
    AccessDenied: [
      undefined,
      'Allow these credentials s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there.',
    ],
  };

/** By status: a store may refuse without an error code, and a proxy before it has codes of its own. */
const REMEDIES_BY_STATUS: Readonly<Record<number, string | undefined>> = {
  403: REMEDIES.AccessDenied?.[1],
  404: 'Check S3_ENDPOINT, S3_ADDRESSING and REPLICA_URL: what answers there knows no such bucket.',
  407: 'Give the proxy what it asks for, in HTTPS_PROXY or HTTP_PROXY: http://user:password@host:port.',
  429: 'It is asked more often than it allows: see its limits, and what else asks it.',
  507: ROOM,
};

/** For a request without an answer: by the system's error code, where it failed and what to do. */
const UNANSWERED: readonly (readonly [codes: RegExp, layer: UnansweredLayer, remedy: string])[] = [
  [/^(?:ENOTFOUND|EAI_\w+)$/, 'name resolution', 'Check S3_ENDPOINT, AWS_REGION and the name service.'],
  [
    /^ERR_TLS_CERT_ALTNAME/,
    'TLS',
    'Correct S3_ENDPOINT or S3_ADDRESSING: the certificate there is for another name.',
  ],
  [
    /^CERT_(?:HAS_EXPIRED|NOT_YET_VALID)$/,
    'TLS',
    "Have the store's certificate renewed, or set the clock of this machine.",
  ],
  [/^EPROTO$|^ERR_SSL/, 'TLS', 'Check whether S3_ENDPOINT is http:// or https://, and its port.'],
  [
    /CERT|^ERR_TLS|UNABLE_TO|SELF_SIGNED/,
    'TLS',
    'Name the file of its authority in SSL_CERT_FILE, AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS.',
  ],
  [/^/, 'connection', 'Check S3_ENDPOINT, the network, and HTTPS_PROXY, HTTP_PROXY and NO_PROXY.'],
];

type UnansweredLayer = 'name resolution' | 'TLS' | 'connection';

/** @returns what to do about a store's refusal; undefined where that is not known */
export function remedyOf({ code, status }: StoreRefusal): string | undefined {
  return REMEDIES[code]?.[1] ?? REMEDIES_BY_STATUS[status ?? 0];
}

/** @returns where a request to a store that did not answer failed, and what to do */
export function unanswered({ cause }: Error): { readonly layer: UnansweredLayer; readonly remedy: string } {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  const found = UNANSWERED.find(([codes]) => codes.test(code ?? ''));
  const [, layer, remedy] = found as (typeof UNANSWERED)[number];
  return { layer, remedy };
}

/** @returns the message of an error, with what to do where that is known */
export function advised(error: unknown): string {
  const { message, cause } = error as Error;
  const refusal = [error, cause].find((each) => each instanceof StoreRefusal);
  const remedy = refusal && remedyOf(refusal);
  return remedy === undefined ? message : `${message}. ${remedy}`;
}

/**
 * @param reason as Litestream logs it: `CODE: text`, followed by details for the store's operators
 * @returns the code and text in one line, with what to do where the code is known
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
