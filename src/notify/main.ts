import { pickSecrets, type SecretName } from '../config/secrets.ts';
import { PrimaryClient } from '../runtime/primary-client.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { Heartbeat } from './heartbeat.ts';
import { sendTo } from './http.ts';
import { Notifier } from './notifier.ts';
import { targetsOf } from './targets.ts';

const LOOK_INTERVAL_MS = 1000;
const SECRETS: readonly SecretName[] = ['NOTIFY_URL', 'HEARTBEAT_URL', 'SMTP_URL'];

/** The process that reports problems to the operator: by messages, and by a heartbeat that stops. */
export async function run(runtime: Runtime): Promise<void> {
  const { config, log, send } = runtime;
  const secrets = pickSecrets(process.env, SECRETS);
  for (const name of SECRETS) delete process.env[name];
  const primary = new PrimaryClient(send);
  const notifier = new Notifier({
    dataDir: config.DATA_DIR,
    afterMs: config.NOTIFY_AFTER_MS,
    targets: targetsOf(config, secrets),
    log,
  });
  const { HEARTBEAT_URL } = secrets;
  const heartbeat =
    HEARTBEAT_URL === undefined
      ? undefined
      : new Heartbeat({
          intervalMs: config.HEARTBEAT_INTERVAL_MS,
          lagMaxMs: config.HEARTBEAT_LAG_MAX_MS,
          ping: () => sendTo(HEARTBEAT_URL),
          now: () => performance.now(),
        });
  let reported: string | undefined;
  const report = () => {
    const troubles = [notifier.trouble, heartbeat?.trouble].filter((trouble) => trouble !== undefined);
    const trouble = troubles.length === 0 ? undefined : troubles.join('; ');
    if (trouble === reported) return;
    reported = trouble;
    send({ kind: 'report', gauges: {}, trouble });
  };
  const look = async () => {
    // When the primary does not answer, there is nothing to report, and the heartbeat stops.
    const told = await primary.ask('system').catch(() => undefined);
    if (told === undefined) return;
    notifier.look(told.snapshot);
    return told.snapshot.status;
  };
  const drain = async () => {
    clearInterval(timer);
    await notifier.told();
    // A last look, at what has happened since the one before, such as why the system fails.
    await look();
    await notifier.told();
    log.flush(() => process.exit(0));
  };
  runtime.onMessage((message) => {
    if (message.kind === 'told') primary.told(message.id, message.answer);
    else if (message.kind === 'drain') void drain();
  });
  await runtime.standby();
  const timer = setInterval(async () => {
    const status = await look();
    report();
    if (status !== undefined) void heartbeat?.look(status);
  }, LOOK_INTERVAL_MS);
  runtime.ready();
}
