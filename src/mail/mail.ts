import type { Mailbox } from '../platform/mail-address.ts';

/** One mail to one recipient. What is in it is data: nothing of it is taken for a header or an address by mistake. */
export interface Mail {
  /** Without angle brackets; the same in every attempt to send this mail. */
  readonly messageId: string;
  readonly from: Mailbox;
  /** The address alone. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  /** Shown by `cid:` in the HTML. */
  readonly inline: readonly InlineFile[];
  /** Ends the mails of this sender to this recipient in one click (RFC 8058). */
  readonly unsubscribeUrl?: string;
}

export interface InlineFile {
  readonly cid: string;
  readonly filename: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/**
 * What came of handing a mail over:
 * - sent: the server has taken it
 * - refused: it never will
 * - deferred: not now. Whether the server has it after all may be open, when the connection broke: `isConnectionLost`
 * - unavailable: the server could not be spoken to about this mail at all, or lets nobody send: no fault of the mail
 */
export type Delivery =
  | { readonly outcome: 'sent' }
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'deferred'; readonly reason: string; readonly isConnectionLost: boolean }
  | { readonly outcome: 'unavailable'; readonly reason: string };

/** Hands mails over. */
export interface Transport {
  /** How many mails it may be given at a time. */
  readonly concurrency: number;
  /** Never throws for what the other side does. @param content of the mail, as `compile` returned it */
  send(mail: Mail, content: Buffer): Promise<Delivery>;
  close(): void;
}
