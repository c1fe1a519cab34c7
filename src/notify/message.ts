import { hostname } from 'node:os';
import type { NotifyFormat } from '../config/notify-formats.ts';
import type { Due } from './conditions.ts';

/** What the operator is told. */
export interface Message {
  readonly kind: Due['kind'] | 'test';
  /** What it is about, such as replication or worker-1. */
  readonly condition: string;
  readonly host: string;
  readonly cause: string;
  readonly sinceAtMs: number;
  /** By which to look. */
  readonly command: string;
}

/** One request's body, and how it is labelled. */
export interface Payload {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @returns a message of something that is wrong, or is not any more */
export function messageOf({ kind, condition: { name, cause, sinceAtMs } }: Due, dataDir: string): Message {
  return { kind, condition: name, host: hostname(), cause, sinceAtMs, command: commandFor(dataDir) };
}

/** @returns a message that tells only that messages arrive */
export function testMessage(dataDir: string): Message {
  const cause = 'somebody has run ninelives notify --test';
  return {
    kind: 'test',
    condition: 'test',
    host: hostname(),
    cause,
    sinceAtMs: Date.now(),
    command: commandFor(dataDir),
  };
}

/** @returns its one line */
export function titleOf({ kind, condition, host }: Message): string {
  return `ninelives on ${host}: ${condition}${kind === 'ended' ? ' is over' : ''}`;
}

/** @returns the rest of it */
export function textOf({ kind, cause, sinceAtMs, command }: Message): string {
  const since = new Date(sinceAtMs).toISOString();
  const what = kind === 'ended' ? `It began at ${since}: ${cause}` : `Since ${since}: ${cause}`;
  return `${what}\nLook: ${command}`;
}

/** @returns what is posted */
export function payloadOf(message: Message, format: NotifyFormat): Payload {
  const title = titleOf(message);
  const text = textOf(message);
  if (format === 'ntfy') {
    const [priority, tag] =
      message.kind === 'problem' ? ['high', 'rotating_light'] : ['default', 'white_check_mark'];
    return {
      headers: {
        'Content-Type': 'text/plain; charset=utf-8',
        Title: inHeader(title),
        Priority: priority!,
        Tags: tag!,
      },
      body: text,
    };
  }
  const headers = { 'Content-Type': 'application/json' };
  if (format === 'slack') return { headers, body: JSON.stringify({ text: forSlack(`*${title}*\n${text}`) }) };
  const { kind, condition, host, cause, sinceAtMs, command } = message;
  const since = new Date(sinceAtMs).toISOString();
  return {
    headers,
    body: JSON.stringify({ status: kind, condition, host, cause, since, command, text: `${title}\n${text}` }),
  };
}

function commandFor(dataDir: string): string {
  const quoted = /^[\w./-]+$/.test(dataDir) ? dataDir : `'${dataDir.replaceAll("'", "'\\''")}'`;
  return `DATA_DIR=${quoted} npx ninelives status`;
}

/** As Slack documents it: these three begin a link, a mention or an entity. */
function forSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function inHeader(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
