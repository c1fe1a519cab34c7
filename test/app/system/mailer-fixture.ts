import { request } from '../../support/http.ts';
import type { RunningSystem } from '../../support/system.ts';
import { alertOf } from '../support/alert-of.ts';

export const DAY_MS = 86_400_000;
/** A zone in which midnight is hours away, and the date there. */
export const isMorning = new Date().getUTCHours() < 12;
export const TIMEZONE = isMorning ? 'UTC' : 'Etc/GMT+12';
export const today = () => new Date(Date.now() - (isMorning ? 0 : DAY_MS / 2)).toISOString().slice(0, 10);
export const DUE = { TIMEZONE, DELIVERY_HOUR: '00:00' };
export const SENDER = { MAIL_FROM: 'alerts@example.org', PUBLIC_URL: 'https://example.org' };

export async function put(system: RunningSystem, id: string, change: object = {}): Promise<void> {
  const body = { ...alertOf(id), notification_date: today(), ...change };
  const answer = await request(`${system.url}/alert`, { method: 'POST', body });
  if (answer.status !== 201) throw new Error(answer.text);
}

export async function statusOf(system: RunningSystem, id: string): Promise<string> {
  return (await request(`${system.url}/alert/movie/${id}`)).json.status;
}
