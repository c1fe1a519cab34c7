import http from 'node:http';
import { features } from '../../src/features/features.ts';
import { describedBy } from './described.ts';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says by its assertions what it expects in here
  readonly json: any;
}

export interface RequestOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly agent?: http.Agent;
}

/**
 * One request, never retried, so that a test sees every failure; also an answer that is not as it is described.
 * @param agent keeps connections alive when given; otherwise each request has its own
 * @throws Error when the connection breaks before a whole answer has come
 */
export async function request(url: string, options: RequestOptions = {}): Promise<Answer> {
  const answer = await send(url, options);
  const described = await describedBy(features);
  // As it went out: without dot segments.
  described.check(options.method ?? 'GET', new URL(url).pathname, answer);
  return answer;
}

function send(url: string, options: RequestOptions): Promise<Answer> {
  const { method = 'GET', body, headers = {}, agent } = options;
  const payload = body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = http.request(
      url,
      {
        method,
        agent: agent ?? false,
        headers: {
          ...(payload !== undefined && { 'Content-Length': Buffer.byteLength(payload as string) }),
          ...(payload !== undefined && !Buffer.isBuffer(body) && { 'Content-Type': 'application/json' }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: tryJson(text) });
        });
      },
    );
    sent.on('error', reject);
    sent.end(payload);
  });
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @returns a valid note; `id` makes it unlike any other */
export function noteOf(id: string, text = `Text of ${id}`) {
  return { id, text };
}

/** What bytes are sent as, so that they are kept as a file. */
export function upload(body: Buffer | string = 'some bytes') {
  return { headers: { 'Content-Type': 'application/octet-stream' }, body: Buffer.from(body) };
}
