import type autocannon from 'autocannon';
import { alertOf, alertPath, seededMovieId } from './alert.ts';

/** autocannon puts a new id in its place for each request. */
const NEW_ID = '[<id>]';

/** What is asked of a server; how hard and how long is the load's matter. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** How many alerts must stand before the load begins. */
  readonly seededAlerts: number;
  /** Whether its requests carry `[<id>]`, which costs the load generator something for each of them. */
  readonly hasNewIds: boolean;
  /**
   * The requests that one connection makes in turn, over and over.
   * @param connection its number from 0
   * @param connections how many there are
   */
  readonly requests: (connection: number, connections: number) => autocannon.Request[];
}

const read: Scenario = {
  name: 'read',
  title: 'read an alert by its key',
  seededAlerts: 1000,
  hasNewIds: false,
  requests(connection, connections) {
    // Each connection has its share of the alerts, so that together they read them all.
    const requests: autocannon.Request[] = [];
    for (let index = connection % this.seededAlerts; index < this.seededAlerts; index += connections) {
      requests.push({ method: 'GET', path: alertPath(seededMovieId(index)) });
    }
    return requests;
  },
};

const write: Scenario = {
  name: 'write',
  title: 'create an alert, durably',
  seededAlerts: 0,
  hasNewIds: true,
  requests: () => [
    {
      method: 'POST',
      path: '/alert',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alertOf(NEW_ID)),
    },
  ],
};

/** Every scenario, in the order in which they run. */
export const scenarios: readonly Scenario[] = [read, write];

/** @throws Error when there is none of that name */
export function scenarioOf(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (!found) throw new Error(`There is no scenario ${name}`);
  return found;
}
