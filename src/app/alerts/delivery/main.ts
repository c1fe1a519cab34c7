import { join } from 'node:path';
import { appConfigOf } from '../../../app-settings.ts';
import { parseMailbox } from '../../../mail/address.ts';
import type { Transport } from '../../../mail/mail.ts';
import { Outbox } from '../../../mail/outbox.ts';
import { publicBaseOf } from '../../../public-url.ts';
import type { BackgroundInput } from '../../../runtime/background.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { pickSecrets } from '../../../secrets.ts';
import { openReader } from '../../../sqlite/open.ts';
import { prepared } from '../../../sqlite/prepared.ts';
import { WriterClient } from '../../../writer/client.ts';
import { writerSocketPath } from '../../../writer/protocol.ts';
import { prepareQueries as prepareImageQueries } from '../../images/queries.ts';
import { prepareUnsubscribeKey } from '../queries.ts';
import { DeliveryClock } from './clock.ts';
import { composer } from './compose.ts';
import { isKnownDead, newLeaseOwner } from './lease-owner.ts';
import { type DeliveryWrite, Mailer } from './mailer.ts';
import { prepareDeliveryQueries } from './queries.ts';

const REPORT_INTERVAL_MS = 1000;
/** The sender of mails that become files. The domain is one that nobody can have (RFC 2606). */
const OUTBOX_FROM = 'Movie alerts <alerts@ninelives.invalid>';

/** The mailer: sends the alerts that are due. */
export async function run(runtime: Runtime): Promise<void> {
  const { log, send } = runtime;
  let mailer: Mailer | undefined;
  runtime.onMessage((message) => {
    if (message.kind === 'drain') mailer?.drain(message.timeoutMs);
  });
  const config = await appConfigOf(runtime.config);
  const createTransport = await loadTransport(runtime);
  const writer = new WriterClient({
    socketPath: writerSocketPath(config.DATA_DIR),
    name: runtime.role,
    deadlineMs: config.WRITE_DEADLINE_MS,
    queueMax: config.WRITE_QUEUE_MAX,
    log,
  });
  const write: DeliveryWrite = (name, input) => writer.write(`alerts.${name}`, input);
  const main = openReader(join(config.DATA_DIR, 'main.db'));
  const media = openReader(join(config.DATA_DIR, 'media.db'));
  const images = prepared('images', () => prepareImageQueries(media));
  const queries = prepared('alerts', () => prepareDeliveryQueries(main));
  const unsubscribeKey = prepared('alerts', () => prepareUnsubscribeKey(main));
  const clock = new DeliveryClock(config);
  // Until it has its place it connects to nothing and changes nothing.
  const { url } = (await runtime.standby()) as BackgroundInput;
  writer.connect();
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
  mailer = new Mailer({
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
    log,
  });
  for (const owner of queries.leaseOwners()) {
    // What does not succeed here is left to the leases, which expire.
    if (isKnownDead(owner)) await write('takeOver', { leaseOwner: owner }).catch(() => {});
  }
  const report = () => {
    const { due, retrying, failed } = queries.counts(clock.dueThrough(Date.now()));
    const gauges = { due, retrying, failed, claimed: mailer.claimedCount, ...mailer.totals };
    send({ kind: 'report', gauges, trouble: mailer.trouble });
  };
  setInterval(report, REPORT_INTERVAL_MS).unref();
  runtime.ready();
  await mailer.run();
  transport.close();
  writer.close();
  log.flush(() => process.exit(0));
}

/** @returns what makes the transport, whose code is loaded: only then it connects */
async function loadTransport({ config }: Runtime): Promise<() => Transport> {
  const { SMTP_URL: url } = pickSecrets(process.env, ['SMTP_URL']);
  delete process.env.SMTP_URL;
  if (!url) return () => new Outbox(join(config.DATA_DIR, 'outbox'));
  const { Smtp } = await import('../../../mail/smtp.ts');
  return () => new Smtp({ url, connections: config.SMTP_CONNECTIONS, timeoutMs: config.SMTP_TIMEOUT_MS });
}
