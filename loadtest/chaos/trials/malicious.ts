import { percentile } from '../../../src/testing/chaos/statistics.ts';
import { atLeast, atMost, type Observation, withSpeed } from '../../../src/testing/chaos/trial.ts';
import { Attack } from '../attacks/attack.ts';
import { behaviours } from '../attacks/behaviours.ts';
import type { AttackName } from '../attacks/messages.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const ESTABLISHED_TIMEOUT_MS = 60_000;

/** Malicious clients, each kind a trial of its own with the same promise: honest clients do not notice. */
export const malicious: readonly Trial[] = [
  trialOf('slowloris', 'a header sent a byte a second that never ends'),
  trialOf('huge-header', 'a header of 10 MB'),
  trialOf('idle-connections', 'that say nothing'),
  trialOf('garbage', 'pipelined requests, then noise'),
];

function trialOf(name: AttackName, what: string): Trial {
  const { connections } = behaviours[name];
  return {
    name,
    fault: `${connections.toLocaleString('en')} connections: ${what}`,
    size: { unit: 'seconds', full: 15, short: name === 'idle-connections' ? undefined : 2 },
    victims: undefined,
    limits: [
      atMost(0, 'requests', 'failed'),
      atMost(1000, 'ms', 'p99 of the honest'),
      withSpeed(atLeast(connections, 'connections', 'connections of the attacker')),
      atMost(0, 'connections', 'attackers refused'),
    ],
    run: (stage, seconds) => run(stage, seconds, name),
  };
}

async function run(stage: Stage, seconds: number, name: AttackName): Promise<Observation> {
  const { url } = await stage.start();
  await stage.startLoad();
  const { connections } = behaviours[name];
  const attack = new Attack(name, url, stage.random.below(2 ** 31));
  stage.defer(() => attack.destroy());
  await stage.until(
    () => {
      stage.progress(`${attack.counts.connections} connections`);
      return attack.counts.connections >= connections;
    },
    'the attackers are connected',
    ESTABLISHED_TIMEOUT_MS,
  );
  for (let second = 0; second < seconds; second += 1) {
    stage.progress(`${second} of ${seconds} s, ${attack.counts.open} connections open`);
    await stage.sleep(1000);
  }
  const { counts } = attack;
  const records = await stage.stopLoad();
  attack.destroy();
  const latenciesMs = records.map(({ latencyMs }) => latencyMs);
  return {
    injected: counts.connections,
    figures: {
      'p99 of the honest': percentile(latenciesMs, 0.99),
      'connections of the attacker': counts.connections,
      'attackers refused': counts.refused,
    },
    notes: [
      `at most ${counts.openMax} of the attacker's connections were open at once, ${counts.answered} got an answer; p99 of the honest ${Math.round(percentile(latenciesMs, 0.99))} ms`,
    ],
  };
}
