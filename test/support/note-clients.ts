import type { Test } from 'tap';
import { HonestClients, type TestedApp, type TestRecord } from '../../src/testing/honest-clients.ts';

export interface NoteClientsOptions {
  /** Base of the API. */
  readonly url: string;
  readonly connections: number;
  /** A prefix that makes this run's keys unlike any other's. */
  readonly prefix: string;
  readonly hungAfterMs?: number;
  /** Whether connections are kept between requests. */
  readonly keepAlive?: boolean;
  /** Of all clients together, where a test is not about speed: what they send costs all other tests time. */
  readonly requestsPerSecond?: number;
}

/** @param prefix makes the keys unlike any other's */
export function noteRequests(prefix: string): TestedApp {
  return {
    write: (sequence) => ({
      method: 'POST',
      path: '/note',
      body: { id: `${prefix}-${sequence}`, text: `Text of ${prefix}-${sequence}` },
    }),
    read: (written) => ({ path: `/note/${noteOf(written).id}` }),
    // What is read tells more than what was written.
    isSame: ({ status, body }, written) =>
      status === 200 && (body as { readonly text?: string }).text === noteOf(written).text,
  };
}

/** Honest clients that write notes, as fast as they are answered or at a rate. They end with the test, however that ends. */
export function writeNotes(t: Test, options: NoteClientsOptions): HonestClients {
  const { url, connections, prefix, hungAfterMs = 10_000, keepAlive = true, requestsPerSecond } = options;
  const clients = new HonestClients({
    url,
    connections: keepAlive ? connections : 0,
    fresh: keepAlive ? 0 : connections,
    hungAfterMs,
    ...(requestsPerSecond && { requestsPerSecond }),
    ...noteRequests(prefix),
  });
  t.teardown(() => clients.stop());
  return clients;
}

/** @returns what an acknowledged write was answered with */
export function noteOf({ body }: TestRecord): { readonly id: string; readonly text: string } {
  return body as { id: string; text: string };
}
