import { HonestClients, type TestedApp, type TestRecord } from '../../../src/testing/honest-clients.ts';

export interface AlertClientsOptions {
  /** Base of the API. */
  readonly url: string;
  readonly connections: number;
  /** A prefix that makes this run's keys unlike any other's. */
  readonly prefix: string;
  readonly hungAfterMs?: number;
  /** Whether connections are kept between requests. */
  readonly keepAlive?: boolean;
}

/** @param prefix makes the keys unlike any other's */
export function alertRequests(prefix: string): TestedApp {
  return {
    write: (sequence) => ({
      method: 'POST',
      path: '/alert',
      body: {
        movieId: `${prefix}-${sequence}`,
        title: `Title of ${prefix}-${sequence}`,
        email: 'someone@example.org',
        notification_date: '2030-01-31',
        category: 'drama',
        imageUrl: 'https://example.org/cover.png',
      },
    }),
    read: (written) => ({ path: `/alert/movie/${alertOf(written).movieId}` }),
    // What is read tells more than what was written.
    isSame: ({ status, body }, written) =>
      status === 200 && (body as { readonly title?: string }).title === alertOf(written).title,
  };
}

/** Honest clients that write alerts as fast as they are answered. */
export function writeAlerts(options: AlertClientsOptions): HonestClients {
  const { url, connections, prefix, hungAfterMs = 10_000, keepAlive = true } = options;
  return new HonestClients({
    url,
    connections: keepAlive ? connections : 0,
    fresh: keepAlive ? 0 : connections,
    hungAfterMs,
    ...alertRequests(prefix),
  });
}

/** @returns what an acknowledged write was answered with */
export function alertOf({ body }: TestRecord): { readonly movieId: string; readonly title: string } {
  return body as { movieId: string; title: string };
}
