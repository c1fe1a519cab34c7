/** Where a mail server is, without the credentials. */
export interface SmtpServer {
  readonly hostname: string;
  /** `smtp://host:port`, fit to be shown. */
  readonly origin: string;
  readonly hasCredentials: boolean;
}

/** @returns what an `smtp://` or `smtps://` URL names; undefined when it is none */
export function smtpServerOf(text: string): SmtpServer | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port, username } = new URL(text);
  if ((protocol !== 'smtp:' && protocol !== 'smtps:') || hostname === '') return undefined;
  const shownPort = port || (protocol === 'smtps:' ? '465' : '587');
  return { hostname, origin: `${protocol}//${hostname}:${shownPort}`, hasCredentials: username !== '' };
}
