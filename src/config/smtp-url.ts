import { isLoopbackHost } from '../platform/loopback.ts';

const PORT = 587; // RFC 8314 3.3: submission
const TLS_PORT = 465; // RFC 8314 3.3: submission over TLS

/** The address of a mail server, and how to connect to it. */
export interface SmtpServer {
  /** A name, or an address without brackets. */
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
  /** Our name in EHLO; undefined: the name of this machine. */
  readonly ownName: string | undefined;
}

/** The allowed options after `?`, and their values. The names are nodemailer's. */
const OPTIONS: Readonly<Record<string, RegExp>> = {
  requireTLS: /^(?:true|false)$/,
  ignoreTLS: /^(?:true|false)$/,
  'tls.servername': /^[\w.-]+$/,
  'tls.rejectUnauthorized': /^(?:true|false)$/,
  name: /^[\w.:[\]-]+$/,
};

/**
 * @returns the server of an `smtp://` or `smtps://` URL; undefined when it is no such URL, has an unknown option, or
 *   would send a password to another machine without TLS
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
