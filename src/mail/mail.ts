import type { Mailbox } from '../platform/mail-address.ts';

/** One mail to one recipient. All parts are data: no part can be taken for a header or an address by mistake. */
export interface Mail {
  /** The Message-ID without angle brackets; the same in every attempt to send this mail. */
  readonly messageId: string;
  readonly from: Mailbox;
  /** The address alone, without a name. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  /** Files that the HTML shows by `cid:` URLs. */
  readonly inline: readonly InlineFile[];
  /** Unsubscribes this recipient from this sender in one click (RFC 8058). */
  readonly unsubscribeUrl?: string;
}

export interface InlineFile {
  readonly cid: string;
  readonly filename: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/**
 * The result of handing a mail over:
 * - sent: the server has accepted it
 * - refused: the server will never accept it
 * - deferred: not accepted now. After a broken connection (`isConnectionLost`) the server may have accepted it after
 *   all
 * - unavailable: the server could not be asked, or lets this sender send nothing; the mail is not at fault
 */
export type Delivery =
  | { readonly outcome: 'sent' }
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'deferred'; readonly reason: string; readonly isConnectionLost: boolean }
  | { readonly outcome: 'unavailable'; readonly reason: string };

/** Hands mails over. */
export interface Transport {
  /** How many mails it may be given at the same time. */
  readonly concurrency: number;
  /** Hands over a mail. Never throws for a fault of the other side. @param content the mail as `compile` returned it */
  send(mail: Mail, content: Buffer): Promise<Delivery>;
  close(): void;
}
