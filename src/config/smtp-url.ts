import { isLoopbackHost } from '../platform/loopback.ts';

const PORT = 587; // RFC 8314 3.3: submission
const TLS_PORT = 465; // RFC 8314 3.3: submission over TLS

/** Where a mail server is, and how it is to be spoken to. */
export interface SmtpServer {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** `smtp://host:port`, without the credentials. */
  readonly origin: string;
  /** TLS from the first byte. */
  readonly isSecure: boolean;
  readonly credentials: { readonly user: string; readonly pass: string } | undefined;
  /** Whether a server that does not offer STARTTLS is refused. */
  readonly requiresTls: boolean;
  /** Whether STARTTLS is not used though it is offered. */
  readonly ignoresTls: boolean;
  /** The name that the certificate must have; undefined: `host`. */
  readonly certificateName: string | undefined;
  readonly verifiesCertificate: boolean;
  /** What we call ourselves in EHLO; undefined: the name of this machine. */
  readonly ownName: string | undefined;
}

/** What may stand behind `?`, and the values that it may have. Names as nodemailer has them. */
const OPTIONS: Readonly<Record<string, RegExp>> = {
  requireTLS: /^(?:true|false)$/,
  ignoreTLS: /^(?:true|false)$/,
  'tls.servername': /^[\w.-]+$/,
  'tls.rejectUnauthorized': /^(?:true|false)$/,
  name: /^[\w.:[\]-]+$/,
};

/**
 * @returns what an `smtp://` or `smtps://` URL names; undefined when it is none, has an option that is not known, or would
 *   send a password without TLS to another machine
 */
export function smtpServerOf(text: string): SmtpServer | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port: givenPort, username, password, searchParams } = new URL(text);
  if ((protocol !== 'smtp:' && protocol !== 'smtps:') || hostname === '') return undefined;
  for (const [name, value] of searchParams) {
    if (!Object.hasOwn(OPTIONS, name) || !OPTIONS[name]!.test(value)) return undefined;
  }
  const isSecure = protocol === 'smtps:';
  const port = givenPort === '' ? (isSecure ? TLS_PORT : PORT) : Number(givenPort);
  const user = decoded(username);
  const pass = decoded(password);
  if (user === undefined || pass === undefined) return undefined;
  const sendsPassword = user !== '' && !isLoopbackHost(hostname);
  const ignoresTls = searchParams.get('ignoreTLS') === 'true';
  const requiresTls = sendsPassword || searchParams.get('requireTLS') === 'true';
  if (ignoresTls && requiresTls) return undefined;
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    origin: `${protocol}//${hostname}:${port}`,
    isSecure,
    credentials: user === '' ? undefined : { user, pass },
    requiresTls,
    ignoresTls,
    certificateName: searchParams.get('tls.servername') ?? undefined,
    verifiesCertificate: searchParams.get('tls.rejectUnauthorized') !== 'false',
    ownName: searchParams.get('name') ?? undefined,
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
