import { atLeast, atMost, type Trial, withSpeed } from '../trial.ts';

const HANG_TIMEOUT_MS = 2000;
/** Longer than the hang timeout of a child, shorter than a client waits. */
const STOPPED_MS = 4500;
/** In this time waiting clients are served, and a child that was wrongly taken for hung would be killed. */
const AFTERWARDS_MS = 2000;

export const primaryStopped: Trial = {
  name: 'primary-stopped',
  fault: 'SIGSTOP the primary for a while',
  size: { unit: 'times', full: 3, short: 1 },
  victims: undefined,
  limits: [
    atMost(0, 'requests', 'failed'),
    withSpeed(atLeast(100, 'requests', 'served while it stood still')),
  ],
  async run(stage, times) {
    const system = await stage.start({ HANG_TIMEOUT_MS: String(HANG_TIMEOUT_MS) });
    await stage.startLoad();
    const stills: { readonly fromMs: number; readonly toMs: number }[] = [];
    while (stills.length < times) {
      stage.progress(`${stills.length} of ${times}`);
      const fromMs = Date.now();
      system.kill('SIGSTOP');
      try {
        await stage.sleep(STOPPED_MS);
      } finally {
        system.kill('SIGCONT');
      }
      stills.push({ fromMs, toMs: Date.now() });
      await stage.sleep(AFTERWARDS_MS);
    }
    const records = await stage.stopLoad();
    const served = records.filter(({ failure, startMs, latencyMs }) =>
      stills.some(
        ({ fromMs, toMs }) => failure === undefined && startMs >= fromMs && startMs + latencyMs < toMs,
      ),
    );
    return {
      injected: times,
      figures: { 'served while it stood still': served.length / times },
      notes: [
        `it stood still for ${STOPPED_MS} ms: connections that were there went on being served, new ones waited for its SIGCONT. That systemd's watchdog ends a primary which never comes back is not tested here`,
      ],
    };
  },
};
