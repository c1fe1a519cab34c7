import http from 'node:http';
import { atMost, withSpeed } from '../../../src/testing/chaos/trial.ts';
import { request } from '../../../src/testing/request.ts';
import { dueAlertOf } from '../../alert.ts';
import { type SunkMail, startMailSink } from '../../support/mail-sink.ts';
import { runCommand } from '../failover/command.ts';
import type { Member } from '../failover/member.ts';
import { OF_TWO } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const TTL_MS = 6000;
const ALERTS_PER_TURN = 30;
/** The lead changes when so many mails of a turn are sent; the next leader sends the rest. */
const SENT_MIN = 5;
const ANSWER_MAX_MS = 100;
const DELIVERY_TIMEOUT_MS = 90_000;
/** How old a commit that the replica lacks may be when the leader dies. */
const WINDOW_MS = 5000;

const ENDS: Readonly<Record<string, (stage: Stage, leader: Member) => Promise<unknown>>> = {
  'hands over': (stage, leader) => runCommand(stage, leader, ['handover']),
  'is stopped': (_stage, leader) => leader.stop(),
  'is killed': (_stage, leader) => leader.kill(true),
};

export const failoverMails: Trial = {
  name: 'failover-mails',
  fault:
    'of two systems the one that leads hands over, is stopped, or is killed with its data, while it sends due mails',
  size: { unit: 'times', full: 15, short: 3 },
  victims: undefined,
  limits: [
    ...OF_TWO,
    atMost(0, 'alerts', 'not delivered'),
    atMost(0, 'mails', 'sent again without a kill between'),
    withSpeed(atMost(0, 'mails', 'sent again, and sent long before the kill')),
    atMost(0, 'mails', 'sent again under another Message-ID'),
  ],
  async run(stage, times) {
    const mails: SunkMail[] = [];
    const sink = await startMailSink({
      answerAfterMs: () => stage.random.below(ANSWER_MAX_MS),
      onMail: (mail) => mails.push(mail),
    });
    stage.defer(() => sink.close());
    const env = {
      SMTP_URL: sink.url,
      MAIL_FROM: 'alerts@example.org',
      PUBLIC_URL: 'https://example.org',
      TIMEZONE: 'UTC',
      DELIVERY_HOUR: '00:00',
    };
    return onPair(stage, { ttlMs: TTL_MS, hasPeers: true, env }, async ({ pair, promises }) => {
      const killedMs: number[] = [];
      const names = Object.keys(ENDS);
      const all: string[] = [];
      for (let turn = 0; turn < times; turn += 1) {
        const how = names[turn % names.length] as string;
        stage.progress(`${turn} of ${times}: the leader ${how}`);
        const leader = await pair.heal();
        const ids = Array.from({ length: ALERTS_PER_TURN }, (_, index) => `due-${turn}-${index}`);
        await Promise.all(ids.map((id) => post(stage, leader, id)));
        all.push(...ids);
        const sentOf = () =>
          new Set(mails.filter(({ to }) => ids.includes(idOf(to))).map(({ to }) => to)).size;
        await stage.until(() => sentOf() >= SENT_MIN, 'mails are sent', DELIVERY_TIMEOUT_MS);
        if (how === 'is killed') killedMs.push(Date.now());
        await ENDS[how]?.(stage, leader);
        const next = await pair.heal();
        await stage.until(() => areSent(next, ids), 'all are sent', DELIVERY_TIMEOUT_MS);
        promises.judge(await pair.heal());
      }
      // The history of the clients is compared with the whole table.
      const { url } = await pair.heal();
      await Promise.all(all.map((id) => request(`${url}/alert/movie/${id}`, 'DELETE')));
      const again = repetitions(mails);
      const kills = ([first, next]: Repetition) =>
        killedMs.filter((ms) => ms >= first.connectedMs && ms <= next.connectedMs);
      return {
        injected: times,
        figures: {
          'not delivered': all.filter((id) => !mails.some(({ to }) => idOf(to) === id)).length,
          'sent again without a kill between': again.filter((pair) => kills(pair).length === 0).length,
          'sent again, and sent long before the kill': again.filter((pair) =>
            kills(pair).some((ms) => ms - pair[0].connectedMs > WINDOW_MS),
          ).length,
          'sent again under another Message-ID': again.filter(
            ([first, next]) => first.messageId === '' || first.messageId !== next.messageId,
          ).length,
        },
        notes: [
          `${all.length} alerts due, ${mails.length} mails: ${again.length} again, all that a killed leader had sent and the replica did not know of`,
        ],
      };
    });
  },
};

type Repetition = readonly [SunkMail, SunkMail];

/** @returns each repeated mail, with the one before to the same recipient */
function repetitions(mails: readonly SunkMail[]): readonly Repetition[] {
  const last = new Map<string, SunkMail>();
  return mails.flatMap((mail) => {
    const before = last.get(mail.to);
    last.set(mail.to, mail);
    return before ? [[before, mail] as const] : [];
  });
}

function idOf(to: string): string {
  return to.split('@', 1)[0] as string;
}

async function post(stage: Stage, { url }: Member, id: string): Promise<void> {
  const body = JSON.stringify(dueAlertOf(id));
  const headers = { 'Idempotency-Key': `"${id}"`, Durability: 'replicated' };
  await stage.until(
    async () => {
      const { status } = await request(`${url}/alert`, 'POST', body, new http.Agent(), headers, 10_000);
      return status === 201 || status === 200;
    },
    `${id} is written`,
    DELIVERY_TIMEOUT_MS,
  );
}

async function areSent({ url }: Member, ids: readonly string[]): Promise<boolean> {
  for (const id of ids) {
    const { status, text } = await request(`${url}/alert/movie/${id}`, 'GET');
    if (status !== 200 || (JSON.parse(text) as { status: string }).status !== 'sent') return false;
  }
  return true;
}
