import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { type Death, killChildren, recoveryMs } from '../../../src/testing/chaos/faults.ts';
import { atMost } from '../../../src/testing/chaos/trial.ts';
import { request } from '../../../src/testing/request.ts';
import { dueAlertOf } from '../../alert.ts';
import { type SunkMail, startMailSink } from '../../support/mail-sink.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

/** How many alerts are due for each kill. */
const ALERTS_PER_KILL = 10;
/** The next kill comes after so many mails since the last kill; the rest are sent after the last kill. */
const SENT_PER_KILL = 7;
const ANSWER_MAX_MS = 20;
const DELIVERY_TIMEOUT_MS = 60_000;
const POSTS_AT_A_TIME = 20;

export const mailerKilled: Trial = {
  name: 'mailer-killed',
  fault: 'SIGKILL the mailer while it sends ten due alerts a kill',
  size: { unit: 'times', full: 100, short: 5 },
  victims: /^mailer$/,
  limits: [
    atMost(0, 'alerts', 'not delivered'),
    atMost(0, 'alerts', 'delivered, and not said to be'),
    atMost(0, 'mails', 'sent again without a kill between'),
    atMost(0, 'mails', 'sent again though settled'),
    atMost(0, 'mails', 'sent again under another Message-ID'),
    atMost(0, 'requests', 'failed'),
  ],
  async run(stage, kills) {
    const { random } = stage;
    const mails: SunkMail[] = [];
    const sink = await startMailSink({
      answerAfterMs: () => random.below(ANSWER_MAX_MS),
      onMail: (mail) => mails.push(mail),
    });
    stage.defer(() => sink.close());
    await stage.start({
      SMTP_URL: sink.url,
      MAIL_FROM: 'alerts@example.org',
      PUBLIC_URL: 'https://example.org',
      TIMEZONE: 'UTC',
      DELIVERY_HOUR: '00:00',
    });
    await stage.startLoad();
    const ids = Array.from({ length: kills * ALERTS_PER_KILL }, (_, index) => `due-${index}`);
    await inTurns(ids, (id) => post(stage, id));
    const deaths: Death[] = [];
    /** When each alert was first seen as settled on disk, at a kill of the mailer. */
    const settledMs = new Map<string, number>();
    while (deaths.length < kills) {
      stage.progress(`${deaths.length} of ${kills}`);
      const sentThen = mails.length;
      await stage.until(
        () => mails.length >= sentThen + SENT_PER_KILL || recipientsOf(mails).size === ids.length,
        'mails are sent',
        DELIVERY_TIMEOUT_MS,
      );
      await stage.sleep(random.below(ANSWER_MAX_MS));
      for (const to of settled(stage)) if (!settledMs.has(to)) settledMs.set(to, Date.now());
      deaths.push(...(await killChildren(stage, ['mailer'])));
    }
    stage.progress('waiting for the last mails');
    const notSent = async () => {
      const states = await inTurns(ids, async (id) => {
        const { text } = await request(`${stage.system.url}/alert/movie/${id}`, 'GET');
        return (JSON.parse(text) as { status: string }).status;
      });
      return states.filter((status) => status !== 'sent').length;
    };
    const deadlineMs = performance.now() + DELIVERY_TIMEOUT_MS;
    while ((await notSent()) > 0 && performance.now() < deadlineMs) await stage.sleep(500);
    const again = repetitions(mails);
    // The time of the connection counts: a mail that the dead mailer had sent may be read after its death.
    const killedMs = deaths.map(({ faultMs }) => faultMs);
    const figures = {
      'not delivered': ids.length - recipientsOf(mails).size,
      'delivered, and not said to be': await notSent(),
      'sent again': again.length,
      'sent again without a kill between': again.filter(
        ([first, next]) => !killedMs.some((ms) => ms >= first.connectedMs && ms <= next.connectedMs),
      ).length,
      'sent again though settled': again.filter(
        ([, next]) => next.connectedMs > (settledMs.get(next.to) ?? Number.POSITIVE_INFINITY),
      ).length,
      'sent again under another Message-ID': again.filter(
        ([first, next]) => first.messageId === '' || first.messageId !== next.messageId,
      ).length,
    };
    // The history of the clients is compared with the whole table.
    await inTurns(ids, (id) => request(`${stage.system.url}/alert/movie/${id}`, 'DELETE'));
    return {
      injected: deaths.length,
      recoveryMs: recoveryMs(deaths),
      figures,
      notes: [
        `${ids.length} alerts due, ${mails.length} mails: ${again.length} again, since the answer to the first was not on disk when the mailer died; ${settledMs.size} had been settled at a kill`,
      ],
    };
  },
};

async function post(stage: Stage, id: string): Promise<void> {
  const { status, text } = await request(`${stage.system.url}/alert`, 'POST', JSON.stringify(dueAlertOf(id)));
  if (status !== 201) throw new Error(`an alert was answered with ${status}: ${text.slice(0, 200)}`);
}

/** @returns the recipients whose alerts are marked as sent on disk */
function settled({ system }: Stage): string[] {
  const db = new Sqlite(join(system.dataDir, 'main.db'), { readonly: true });
  try {
    return db.prepare("SELECT email FROM alerts WHERE status = 'sent'").pluck().all() as string[];
  } finally {
    db.close();
  }
}

/** Works on a few items at a time. */
async function inTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let index = 0; index < items.length; index += POSTS_AT_A_TIME) {
    results.push(...(await Promise.all(items.slice(index, index + POSTS_AT_A_TIME).map(work))));
  }
  return results;
}

function recipientsOf(mails: readonly SunkMail[]): Set<string> {
  return new Set(mails.map(({ to }) => to));
}

/** @returns each repeated mail, with the one before to the same recipient */
function repetitions(mails: readonly SunkMail[]): [first: SunkMail, next: SunkMail][] {
  const latest = new Map<string, SunkMail>();
  return mails.flatMap((mail): [SunkMail, SunkMail][] => {
    const before = latest.get(mail.to);
    latest.set(mail.to, mail);
    return before ? [[before, mail]] : [];
  });
}
