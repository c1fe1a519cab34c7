import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pickSecrets } from '../config/secrets.ts';
import type { BackgroundContext } from '../contract/background.ts';
import { appConfigOf, takeAppSecrets } from '../features/app-settings.ts';
import { appMetrics, features } from '../features/features.ts';
import { Observer } from '../metrics/observer.ts';
import { type BackgroundInput, TRIAL_SUFFIX } from '../runtime/background.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { openReader } from '../sqlite/open.ts';
import { prepared } from '../sqlite/prepared.ts';
import { writerClientOf } from '../writer-client/client.ts';

/** The chassis' part of a background process: it sets up and ends the work of a feature. */
export async function run(runtime: Runtime): Promise<void> {
  const { role, log, send } = runtime;
  const drained = Promise.withResolvers<number>();
  let isDraining = false;
  runtime.onMessage((message) => {
    if (message.kind !== 'drain') return;
    isDraining = true;
    drained.resolve(message.timeoutMs);
  });
  const { feature, process: own } = processOf(role);
  const config = await appConfigOf(runtime.config);
  const ofChassis = pickSecrets(process.env, own.secrets ?? []);
  for (const name of Object.keys(ofChassis)) delete process.env[name];
  const secrets = { ...ofChassis, ...(await takeAppSecrets(own.name)) };
  const prepare = await own.prepare();
  const writer = writerClientOf(config, { name: role, log });
  const open = (database: string) => openReader(join(config.DATA_DIR, `${database}.db`));
  const context: BackgroundContext = {
    db: open(feature.database),
    openOther: open,
    write: async (name, input, blob) =>
      (await writer.write(`${feature.name}.${name}`, input, { blob })) as never,
    config,
    secrets,
    observe: new Observer(runtime.meter, appMetrics).observe,
    log,
    report: ({ gauges, trouble }) => send({ kind: 'report', gauges, trouble }),
    onDrain: (listener) => void drained.promise.then(listener),
  };
  // The feature's own types describe the context; they are not known here.
  const work = await prepared(feature.name, () => prepare(context as never));
  // While the process stands by, it connects to nothing and changes nothing.
  const { url } = (await runtime.standby()) as BackgroundInput;
  writer.connect();
  const working = work({ url });
  // Work that fails at once must not be reported as ready.
  await Promise.race([working, nextTurn()]);
  runtime.ready();
  await working;
  if (!isDraining)
    throw new Error(`The work of ${role} has ended by itself; expected it to work until onDrain calls`);
  writer.close();
  log.flush(() => process.exit(0));
}

function processOf(role: string) {
  const name = role.endsWith(TRIAL_SUFFIX) ? role.slice(0, -TRIAL_SUFFIX.length) : role;
  for (const feature of features) {
    const process = feature.background?.find((one) => one.name === name);
    if (process) return { feature, process };
  }
  throw new TypeError(`No feature has a process ${name}`);
}
