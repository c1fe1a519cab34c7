import { join } from 'node:path';
import { publicBaseOf } from '../../../config/public-url.ts';
import type { BackgroundContext, BackgroundWork } from '../../../contract/background.ts';
import type { Transport } from '../../../mail/mail.ts';
import { Outbox } from '../../../mail/outbox.ts';
import { parseMailbox } from '../../../platform/mail-address.ts';
import { prepared } from '../../../sqlite/prepared.ts';
import { prepareQueries as prepareImageQueries } from '../../images/queries.ts';
import { prepareUnsubscribeKey } from '../queries.ts';
import { DeliveryClock } from './clock.ts';
import type { deliveryCommands } from './commands.ts';
import { composer } from './compose.ts';
import { isKnownDead, newLeaseOwner } from './lease-owner.ts';
import { Mailer } from './mailer.ts';
import { prepareDeliveryQueries } from './queries.ts';

const REPORT_INTERVAL_MS = 1000;
/** The sender of mails that become files. The domain is one that nobody can have (RFC 2606). */
const OUTBOX_FROM = 'Movie alerts <alerts@ninelives.invalid>';

type Context = BackgroundContext<typeof deliveryCommands>;

/** The mailer: sends the alerts that are due. */
export async function prepareMailer(context: Context): Promise<BackgroundWork> {
  const { db, openOther, write, config, observe, log, report, onDrain } = context;
  const createTransport = await loadTransport(context);
  const images = prepared('images', () => prepareImageQueries(openOther('media')));
  const queries = prepareDeliveryQueries(db);
  const unsubscribeKey = prepareUnsubscribeKey(db);
  const clock = new DeliveryClock(config);
  return async ({ url }) => {
    const compose = composer({
      from: parseMailbox(config.MAIL_FROM ?? OUTBOX_FROM)!,
      publicUrl: publicBaseOf(config) ?? url,
      findImage(owner, id) {
        const meta = images.findMeta(owner, id);
        const bytes = meta && images.findBytes(id);
        return bytes && { type: meta.type, bytes };
      },
      // Made by the first claim.
      unsubscribeKey: () => unsubscribeKey()!,
    });
    const transport = createTransport();
    const mailer = new Mailer({
      write,
      queries,
      compose,
      transport,
      pausedBecause: config.mailPausedBecause,
      clock,
      leaseOwner: newLeaseOwner(),
      leaseMs: config.DELIVERY_LEASE_MS,
      attemptsMax: config.DELIVERY_ATTEMPTS_MAX,
      backoffMinMs: config.DELIVERY_BACKOFF_MIN_MS,
      backoffMaxMs: config.DELIVERY_BACKOFF_MAX_MS,
      now: Date.now,
      random: Math.random,
      observe,
      log,
    });
    onDrain((timeoutMs) => mailer.drain(timeoutMs));
    for (const owner of queries.leaseOwners()) {
      // What does not succeed here is left to the leases, which expire.
      if (isKnownDead(owner)) await write('takeOver', { leaseOwner: owner }).catch(() => {});
    }
    const tell = () => {
      const { due, retrying, failed } = queries.counts(clock.dueThrough(Date.now()));
      const gauges = { due, retrying, failed, claimed: mailer.claimedCount, ...mailer.totals };
      report({ gauges, trouble: mailer.trouble });
    };
    setInterval(tell, REPORT_INTERVAL_MS).unref();
    await mailer.run();
    transport.close();
  };
}

/** @returns what makes the transport, whose code is loaded: only then it connects */
async function loadTransport({ config, secrets: { SMTP_URL: url } }: Context): Promise<() => Transport> {
  if (!url) return () => new Outbox(join(config.DATA_DIR, 'outbox'));
  const { Smtp } = await import('../../../mail/smtp.ts');
  return () => new Smtp({ url, connections: config.SMTP_CONNECTIONS, timeoutMs: config.SMTP_TIMEOUT_MS });
}
