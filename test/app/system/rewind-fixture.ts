import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { command } from '../../cli/command.ts';
import { request } from '../../support/http.ts';
import { nextSecond } from '../../support/next-second.ts';
import { type RunningSystem, start, until } from '../../support/system.ts';
import { alertOf } from '../support/alert-of.ts';

export const DAY_MS = 86_400_000;
export const isMorning = new Date().getUTCHours() < 12;
export const DUE = { TIMEZONE: isMorning ? 'UTC' : 'Etc/GMT+12', DELIVERY_HOUR: '00:00' };
export const NOT_YET = { ...DUE, DELIVERY_HOUR: '23:59' };
export const today = () => new Date(Date.now() - (isMorning ? 0 : DAY_MS / 2)).toISOString().slice(0, 10);
export const IDS = ['a', 'b', 'c', 'd', 'e'];

export async function put(system: RunningSystem, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const body = { ...alertOf(id), email: `${id}@example.org`, notification_date: today() };
    const headers = { Durability: 'replicated' };
    const answer = await request(`${system.url}/alert`, { method: 'POST', body, headers });
    if (answer.status !== 201) throw new Error(answer.text);
  }
}

export async function statusesOf(system: RunningSystem, ids: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(ids.map((id) => request(`${system.url}/alert/movie/${id}`)));
  return answers.map(({ json }) => json.status);
}

export async function allAre(system: RunningSystem, status: string): Promise<void> {
  await until(
    async () => (await statusesOf(system, IDS)).every((found) => found === status),
    `each is ${status}`,
  );
}

export interface Mails {
  readonly dataDir: string;
  /** When nothing had been sent yet. */
  readonly before: string;
  readonly mails: () => number;
}

/** Five alerts, each of which has been sent. */
export async function makeSent(t: Test): Promise<Mails> {
  const early = await start(t, NOT_YET);
  const { dataDir } = early;
  await put(early, ...IDS);
  await nextSecond();
  const before = new Date().toISOString();
  await early.stop();
  await nextSecond();
  const system = await start(t, DUE, dataDir);
  await allAre(system, 'sent');
  const mails = () => readdirSync(join(dataDir, 'outbox')).length;
  t.equal(mails(), IDS.length);
  await system.stop();
  // The names are of the mails' ids: one that is sent again would be there once.
  rmSync(join(dataDir, 'outbox'), { recursive: true });
  return { dataDir, before, mails: () => (existsSync(join(dataDir, 'outbox')) ? mails() : 0) };
}

export async function goBack(t: Test, { dataDir, before }: Mails): Promise<string> {
  const ran = await command(['restore', '--in-place', '--at', before], { DATA_DIR: dataDir });
  t.equal(ran.code, 0, ran.stderr);
  return ran.stderr;
}
