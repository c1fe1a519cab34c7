import { randomUUID } from 'node:crypto';
import type { Config } from '../config/config.ts';
import type { Secrets } from '../config/secrets.ts';
import { compile } from '../mail/compile.ts';
import { parseMailbox } from '../platform/mail-address.ts';
import { type Sent, sendTo } from './http.ts';
import { type Message, payloadOf, textOf, titleOf } from './message.ts';

/** Half the timeout of an HTTP request: within a mail the server may be silent for twice this long. */
const MAIL_TIMEOUT_MS = 2500;

/** One way to the operator. */
export interface Target {
  /** The setting that names it. */
  readonly name: 'NOTIFY_URL' | 'NOTIFY_EMAIL';
  /** Never throws. */
  send(message: Message): Promise<Sent>;
}

/** @returns all targets that the settings name */
export function targetsOf(config: Config, secrets: Secrets): readonly Target[] {
  const { NOTIFY_URL: url, SMTP_URL: smtpUrl } = secrets;
  const { NOTIFY_FORMAT, NOTIFY_EMAIL } = config;
  const targets: Target[] = [];
  if (url)
    targets.push({ name: 'NOTIFY_URL', send: (message) => sendTo(url, payloadOf(message, NOTIFY_FORMAT)) });
  if (NOTIFY_EMAIL && smtpUrl)
    targets.push({ name: 'NOTIFY_EMAIL', send: (message) => mail(message, NOTIFY_EMAIL, smtpUrl, config) });
  return targets;
}

async function mail(message: Message, to: string, url: string, { MAIL_FROM }: Config): Promise<Sent> {
  const { Smtp } = await import('../mail/smtp.ts');
  const from = parseMailbox(MAIL_FROM!)!;
  const content = {
    messageId: `${randomUUID()}@${from.address.replace(/^.*@/, '')}`,
    from,
    to: parseMailbox(to)!.address,
    subject: titleOf(message),
    text: `${textOf(message)}\n`,
    inline: [],
  };
  const smtp = new Smtp({ url, connections: 1, timeoutMs: MAIL_TIMEOUT_MS });
  try {
    const delivery = await smtp.send(content, await compile(content));
    if (delivery.outcome === 'sent') return { ok: true };
    return { ok: false, reason: delivery.reason, isUnreached: delivery.outcome === 'unavailable' };
  } finally {
    smtp.close();
  }
}
