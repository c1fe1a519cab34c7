import { join } from 'node:path';
import { type Config, loadConfig } from '../config/config.ts';
import { hideSecrets } from '../config/secrets.ts';
import { Failure } from '../platform/errors.ts';
import { isInMemory } from '../platform/in-memory.ts';
import { createLog, type Logger } from '../platform/log.ts';
import { epochOf } from '../replication/failover/epoch.ts';
import { isSameDisk } from '../replication/same-disk.ts';
import { keepCompiledCode } from '../runtime/compiled-code.ts';
import { giveIdleMemoryBack } from '../runtime/idle-memory.ts';
import { goneFolder } from '../sqlite/data-dir.ts';
import type { DataLock } from '../sqlite/lock.ts';
import { Control, controlSocketPath } from '../supervisor/control.ts';
import { inItsFolder } from '../supervisor/failover/alone.ts';
import { FailoverSystem, type StartedSystem } from '../supervisor/failover/failover-system.ts';
import { LastAlive } from '../supervisor/last-alive.ts';
import type { ReloadRequest } from '../supervisor/release/exchange.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { nameOf } from '../supervisor/release/name-of.ts';
import { putBackWriter } from '../supervisor/release/put-back.ts';
import type { Settled } from '../supervisor/release/settle.js';
import { stopTimeoutMsOf } from '../supervisor/stop-deadline.ts';
import { System } from '../supervisor/system.ts';
import { type ServiceEnvironment, takeServiceEnvironment } from '../supervisor/systemd/environment.ts';
import { Service } from '../supervisor/systemd/service.ts';
import { watchTerminal } from '../supervisor/terminal.ts';
import { watchWrapper } from '../supervisor/wrapper.ts';
import { readArguments } from './arguments.ts';
import { type SystemParts, withDataFolder } from './data-folder.ts';
import { refuseMisplaced } from './misplaced.ts';

/** After the stop, the last output may take so long; after that the process exits, whatever still keeps it. */
const EXIT_GRACE_MS = 1000;
const FOLDER_LOOK_INTERVAL_MS = 1000;

const USAGE = `Usage: ninelives start [--release DIR] [--take-over [--epoch eNNNNNN]]

  Starts the whole system and stays in the foreground, logging to standard output, until SIGTERM, Ctrl-C or
  ninelives stop, or until its terminal is closed. Another SIGHUP reloads. Settings come from the environment and from
  .env beside package.json (or beside the link that leads to it); config/.env.example lists them.

  The code is copied first, so that a deploy changes nothing that runs until ninelives reload. After a kill, and where
  the code on disk was refused, what ran before runs again; the ready line says so.

  --release DIR  the code in that folder, whatever ran before and whatever was refused
  --take-over    the replica is this system's from now on, whoever holds it; the other one refuses writes then. With
                 FAILOVER=lease only where its record is missing, or its leader is gone in the midst of restore --in-place:
                 --epoch names the folder to go on from`;
const OPTIONS = {
  release: { type: 'string' },
  'take-over': { type: 'boolean', default: false },
  epoch: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/**
 * Starts the system and returns when it has stopped.
 * @param args what follows the command's name
 * @param settled the releases that run; undefined when only help is asked for
 * @throws Failure why it could not start, or why it could not go on
 */
export async function start(
  args: readonly string[],
  invocation: Invocation,
  settled: Settled | undefined,
): Promise<void> {
  const given = readArguments(args, OPTIONS, USAGE);
  if (given.help || settled === undefined) {
    console.log(await usage());
    return;
  }
  const { config, secrets } = loadConfig(process.env, invocation.installation);
  refuseMisplaced(invocation, config.DATA_DIR);
  const environment = takeServiceEnvironment(process.env, process.pid);
  // From here on a child gets a secret only when the primary gives it.
  hideSecrets(process.env);
  const log = createLog('primary', config.LOG_LEVEL, config.LOG_FORMAT);
  for (const name of environment.sockets.unknown)
    log.warn(
      { name },
      `the service manager passes a socket named ${name}, which is not served: expected http or ops`,
    );
  process.title = 'ninelives primary';
  giveIdleMemoryBack();
  const options = { config, secrets, invocation, settled, log, purpose: 'start' };
  await withDataFolder(options, async (parts, lock) => {
    const { events, releases } = parts;
    const { workers, writer, because } = settled;
    const lastAlive = new LastAlive(config.DATA_DIR);
    if (lastAlive.killedAtMs !== undefined) {
      const lastAliveAt = new Date(lastAlive.killedAtMs).toISOString();
      const cause = `the primary before was not stopped, and was last known alive at ${lastAliveAt}`;
      events.record('primary-died', { cause });
    }
    events.record('start', {
      pid: process.pid,
      cause: `release ${nameOf(workers)}, Node.js ${process.versions.node}${because ? `: ${because}` : ''}`,
    });
    lastAlive.begin();
    for (const release of [workers, writer]) releases.watch(release);
    releases.started(writer);
    try {
      await run(parts, lock, environment, given);
    } catch (error) {
      if (error instanceof Failure && error.code === 'stop_incomplete') releases.stopped();
      else if (!releases.blames(workers, error)) releases.failed();
      const former = await putBackWriter({ releases, config, log });
      // The writer's release was left by an exchange that stopped half-way: nobody chose it, or has to mend it first.
      if (former === undefined || writer.hash === workers.hash || !(error instanceof Failure)) throw error;
      throw new Failure('not_ready', `${error.message}. The next start runs release ${former} again`);
    } finally {
      lastAlive.end();
    }
    releases.stopped();
  }).finally(() => setTimeout(() => process.exit(), EXIT_GRACE_MS).unref());
}

/** Only for the help: it loads the app, which a primary never does. */
async function usage(): Promise<string> {
  const { describeAppSettings } = await import('../features/app-settings.ts');
  const settings = await describeAppSettings();
  return settings === ''
    ? USAGE
    : `${USAGE}\n\nThe app takes these settings beside those of the chassis:\n\n${settings}`;
}

async function run(
  parts: SystemParts,
  lock: DataLock,
  environment: ServiceEnvironment,
  { 'take-over': isTakeOver, epoch }: { readonly 'take-over': boolean; readonly epoch?: string | undefined },
): Promise<void> {
  const { deployment, releases, log, events } = parts;
  const { config } = deployment;
  const end = Promise.withResolvers<void>();
  const { sockets } = environment;
  const onFatal = (failure: Failure) => end.reject(failure);
  setInterval(() => {
    const gone = goneFolder(config.DATA_DIR);
    if (gone) onFatal(gone);
    else keepLock(lock, log, onFatal);
  }, FOLDER_LOOK_INTERVAL_MS).unref();
  const options = { ...parts, sockets, isTakeOver, onFatal };
  const isAlone = config.FAILOVER === 'off';
  if (isTakeOver && !isAlone && epoch === undefined)
    throw new Failure(
      'usage',
      'With FAILOVER=lease this system takes over by itself when the other one is gone. Where the record of both is missing, name the folder to go on from: --take-over --epoch eNNNNNN',
    );
  if (epoch !== undefined && (!isTakeOver || isAlone || epochOf(epoch) === undefined))
    throw new Failure(
      'usage',
      `--epoch ${epoch}: expected the folder of an epoch, such as e000001, with --take-over and FAILOVER=lease`,
    );
  const onStandby = () => {
    releases.cameUp();
    log.info(
      { url: system.url, pids: system.pids },
      `stands by: ${system.url} | replica ${config.replica.url}`,
    );
    service.ready();
  };
  const system: StartedSystem = isAlone
    ? new System(await inItsFolder(options))
    : new FailoverSystem({ ...options, onStandby, takeOver: epoch });
  const service = new Service({
    environment,
    snapshot: () => system.snapshot(),
    stopTimeoutMs: stopTimeoutMsOf(config),
    log,
  });
  const reload = async (request: ReloadRequest) => {
    await service.reloading();
    try {
      return await system.reload(request);
    } finally {
      await service.reloaded();
    }
  };
  // A signal during a reload may be for newer code: one more reload follows, however many signals came.
  const reloadBySignal = coalesced(async () => {
    // The reload itself logs the failure.
    await reload({ cause: 'SIGHUP' }).catch(() => {});
  });
  let stopCause: string | undefined;
  const stop = (cause: string) => {
    if (stopCause) return;
    stopCause = cause;
    log.info({ cause }, `${cause}: stopping`);
    end.resolve();
  };
  const onSignal = (signal: NodeJS.Signals) => stop(signal);
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  // By default SIGUSR1 would open a debugger to every local user, and SIGUSR2 would end the process.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const)
    process.on(signal, () => log.warn(`${signal} does nothing; SIGHUP reloads, SIGTERM stops`));
  watchWrapper(process.env, () => stop('the process that started this one was killed'));
  const isTerminalClosed = watchTerminal();
  process.on('SIGHUP', () => {
    if (isTerminalClosed()) stop('the terminal was closed');
    else reloadBySignal();
  });
  let isHandedOver = false;
  const control = new Control(
    {
      status: () => system.snapshot(),
      events: ([afterId]) => events.after(Number(afterId ?? 0)),
      reload: ([yes, folder]) =>
        reload({ cause: 'reload', isConfirmed: yes === 'yes', folder: folder || undefined }),
      rollback: () => reload({ cause: 'rollback', isRollback: true }),
      restart: async ([role = '']) => ({ replaced: await system.restart(role, 'restart') }),
      ops: () => system.opsLink(),
      verify: () => system.verify(),
      acknowledge: () => ({ acknowledged: system.acknowledge() }),
      async handover() {
        const handed = await system.handOver();
        isHandedOver = true;
        const failure = new Failure('fenced', `The lead was handed over to ${handed.to}`);
        // The answer must be sent before its socket is closed.
        setImmediate(() => end.reject(failure));
        return handed;
      },
      stop([keep]) {
        if (keep !== undefined) system.keep();
        // The answer must be sent before its socket is closed.
        setImmediate(() => stop('operator'));
        return { pid: process.pid };
      },
    },
    log,
  );
  const startedMs = performance.now();
  try {
    await control.listen(controlSocketPath(config.DATA_DIR));
    const ready = system.start().then(() => {
      log.info(...readyLine(parts, system, performance.now() - startedMs));
      if (isAlone) service.ready();
      keepCompiledCode();
    });
    // A stop during the start makes the start fail, which needs no report.
    ready.catch((failure) => end.reject(failure));
    await end.promise;
  } catch (failure) {
    const told = failure instanceof Failure ? { code: failure.code } : { code: 'internal', err: failure };
    log[isHandedOver ? 'info' : 'fatal'](told, (failure as Error).message);
    // Like a stop that was asked for: the next start takes the code on the disk.
    if (isHandedOver) releases.stopped();
    // It was recorded already that the other system leads; that system tells the operator.
    if (told.code !== 'fenced') events.record('failed', { cause: (failure as Error).message });
    control.close();
    service.stopping((failure as Error).message);
    // Processes that could not be stopped are in the log. The first failure matters more.
    await system.stop(isHandedOver ? 'handover' : 'the system failed').catch(() => {});
    throw failure;
  }
  control.close();
  service.stopping(stopCause ?? 'stop');
  await system.stop(stopCause ?? 'stop');
  log.info('stopped');
}

/** A person who cleans up in DATA_DIR may remove the lock's file while the system runs: it is then taken anew. */
function keepLock(lock: DataLock, log: Logger, onTaken: (failure: Failure) => void): void {
  try {
    if (lock.keep()) log.warn('the lock on the data folder was removed; it was taken anew');
  } catch (error) {
    // Any other error of reading or making the file may pass.
    if (error instanceof Failure && error.code === 'data_dir_locked') onTaken(error);
  }
}

function readyLine(
  { deployment, settled }: SystemParts,
  system: StartedSystem,
  startMs: number,
): [object, string] {
  const { url } = system;
  const { config } = deployment;
  const { DATA_DIR, replica } = config;
  const pids = { primary: process.pid, ...system.pids };
  const tree = Object.entries(pids).map(([name, pid]) => `${name} ${pid}`);
  const warnings = [
    ...(isInMemory(DATA_DIR)
      ? ['DATA_DIR is in memory: a reboot takes what the replica lacks. Set it to a folder on a disk.']
      : []),
    ...(isSameDisk(DATA_DIR, replica)
      ? [
          'The replica is on the same disk as the data: it does not survive that disk. Set REPLICA_URL=s3://bucket/prefix and the AWS_* credentials.',
        ]
      : []),
    ...(settled.because === undefined
      ? []
      : [`This is not the code on disk: ${settled.because}. To take that: ninelives reload`]),
    ...(settled.degraded === undefined ? [] : [settled.degraded]),
    ...(system.notice === undefined ? [] : [system.notice]),
  ];
  const mail = deployment.backgrounds.some(({ secrets }) => secrets.includes('SMTP_URL'))
    ? mailOf(config)
    : undefined;
  const { workers, writer, because } = settled;
  const release =
    writer.hash === workers.hash ? nameOf(workers) : `${nameOf(workers)}, the writer ${nameOf(writer)}`;
  const fields = {
    url,
    ops: system.opsUrl,
    pids,
    dataDir: DATA_DIR,
    replica: replica.url,
    ...(mail !== undefined && { mail }),
    release: workers.hash,
    writerRelease: writer.hash,
    ...(because !== undefined && { because }),
    startMs: Math.round(startMs),
  };
  const text = `ready: ${url} | ${tree.join(', ')} | release ${release} | operator ${system.opsUrl} | data ${DATA_DIR} | replica ${replica.url}${mail === undefined ? '' : ` | mail ${mail}`}`;
  const warning = warnings.join(' | WARNING: ');
  return [{ ...fields, ...(warning && { warning }) }, warning ? `${text} | WARNING: ${warning}` : text];
}

function mailOf({ DATA_DIR, smtpServer, mailPausedBecause }: Config): string {
  if (smtpServer === undefined) return `no SMTP_URL: files in ${join(DATA_DIR, 'outbox')}`;
  return mailPausedBecause === undefined ? smtpServer : `${smtpServer}, paused: ${mailPausedBecause}`;
}

/** @returns a function that starts a task, or has it run once more after the present run */
function coalesced(task: () => Promise<void>): () => void {
  let isRunning = false;
  let isWanted = false;
  return async function run(): Promise<void> {
    isWanted = true;
    if (isRunning) return;
    isRunning = true;
    while (isWanted) {
      isWanted = false;
      await task();
    }
    isRunning = false;
  };
}
