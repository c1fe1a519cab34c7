import { hostname } from 'node:os';
import type { NotifyFormat } from '../config/notify-formats.ts';
import type { Due } from './conditions.ts';

/** A message to the operator. */
export interface Message {
  readonly kind: Due['kind'] | 'test';
  /** What the message is about, such as replication or worker-1. */
  readonly condition: string;
  readonly host: string;
  readonly cause: string;
  readonly sinceAtMs: number;
  /** The command that shows the state of the system. */
  readonly command: string;
}

/** The body of a request, and its headers. */
export interface Payload {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @returns the message that reports a problem or its end */
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

/** @returns the title of a message, one line */
export function titleOf({ kind, condition, host }: Message): string {
  return `ninelives on ${host}: ${condition}${kind === 'ended' ? ' is over' : ''}`;
}

/** @returns the text of a message, without the title */
export function textOf({ kind, cause, sinceAtMs, command }: Message): string {
  const since = new Date(sinceAtMs).toISOString();
  const what = kind === 'ended' ? `It began at ${since}: ${cause}` : `Since ${since}: ${cause}`;
  return `${what}\nLook: ${command}`;
}

/** @returns the request that posts a message in this format */
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

/** Escapes the three characters that begin a link, a mention or an entity, as Slack documents it. */
function forSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function inHeader(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
