import { join } from 'node:path';
import { type Config, loadConfig } from '../config.ts';
import { Failure } from '../errors.ts';
import { createLog, type Logger } from '../log.ts';
import { isSameDisk } from '../replication/same-disk.ts';
import { Control, controlSocketPath } from '../supervisor/control.ts';
import type { Events } from '../supervisor/events.ts';
import type { Deployment } from '../supervisor/release/deployment.ts';
import { System } from '../supervisor/system.ts';
import { type ServiceEnvironment, takeServiceEnvironment } from '../supervisor/systemd/environment.ts';
import { Service } from '../supervisor/systemd/service.ts';
import { version } from '../version.ts';
import { readArguments } from './arguments.ts';
import { withDataFolder } from './data-folder.ts';

/** What a stop takes beside the deadlines of its parts. */
const STOP_MARGIN_MS = 10_000;

const USAGE = `Usage: ninelives start

  Starts the whole system and stays in the foreground, logging to standard output, until SIGTERM, Ctrl-C or
  ninelives stop. SIGHUP reloads. Settings come from the environment and from .env; config/.env.example lists them.`;
const OPTIONS = { help: { type: 'boolean', short: 'h', default: false } } as const;

/**
 * Starts the system and returns when it has stopped.
 * @param args what follows the command's name
 * @throws Failure why it could not start, or why it could not go on
 */
export async function start(args: readonly string[]): Promise<void> {
  if (readArguments(args, OPTIONS, USAGE).help) {
    console.log(USAGE);
    return;
  }
  const { config, secrets } = loadConfig(process.env, process.cwd());
  const environment = takeServiceEnvironment(process.env, process.pid);
  // From here on a child has a secret only when it is given it.
  for (const name of Object.keys(secrets)) delete process.env[name];
  const log = createLog('primary', config.LOG_LEVEL, config.LOG_FORMAT);
  process.title = 'ninelives primary';
  await withDataFolder(config, secrets, log, 'start', async (parts) => {
    parts.events.record('start', {
      pid: process.pid,
      cause: `version ${version}, Node.js ${process.versions.node}`,
    });
    const { listenFd } = environment;
    const { deployment, events } = parts;
    await run((onFatal) => new System({ ...parts, listenFd, onFatal }), {
      deployment,
      environment,
      log,
      events,
    });
  });
}

interface RunOptions {
  readonly deployment: Deployment;
  readonly environment: ServiceEnvironment;
  readonly log: Logger;
  readonly events: Events;
}

async function run(
  create: (onFatal: (failure: Failure) => void) => System,
  { deployment, environment, log, events }: RunOptions,
): Promise<void> {
  const { config } = deployment;
  const end = Promise.withResolvers<void>();
  const system = create((failure) => end.reject(failure));
  const service = new Service({
    environment,
    snapshot: () => system.snapshot(),
    stopTimeoutMs: config.DRAIN_TIMEOUT_MS + config.REPLICA_STOP_TIMEOUT_MS + STOP_MARGIN_MS,
    log,
  });
  const reload = async (cause: string) => {
    await service.reloading();
    try {
      // The same tree, and yet another deployment: its files may have changed.
      return await system.reload({ ...deployment }, cause);
    } finally {
      await service.reloaded();
    }
  };
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
  // The failure is logged by the reload itself.
  process.on('SIGHUP', () => reload('SIGHUP').catch(() => {}));
  const control = new Control(
    {
      status: () => system.snapshot(),
      events: ([afterId]) => events.after(Number(afterId ?? 0)),
      reload: async () => ({ replaced: await reload('reload') }),
      restart: async ([role = '']) => ({ replaced: await system.restart(role, 'restart') }),
      verify: () => system.verify(),
      stop() {
        // The answer shall leave before its socket goes.
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
      log.info(...readyLine(config, system, performance.now() - startedMs));
      service.ready();
    });
    // A stop in the middle of the start ends the start with a failure of no interest.
    ready.catch((failure) => end.reject(failure));
    await end.promise;
  } catch (failure) {
    log.fatal({ code: failure instanceof Failure ? failure.code : 'internal' }, (failure as Error).message);
    events.record('failed', { cause: (failure as Error).message });
    control.close();
    service.stopping((failure as Error).message);
    await system.stop('the system failed');
    throw failure;
  }
  control.close();
  service.stopping(stopCause ?? 'stop');
  await system.stop(stopCause ?? 'stop');
  log.info('stopped');
}

function readyLine(config: Config, system: System, startMs: number): [object, string] {
  const { url } = system;
  const pids = { primary: process.pid, ...system.pids };
  const tree = Object.entries(pids).map(([name, pid]) => `${name} ${pid}`);
  const warning = isSameDisk(config.DATA_DIR, config.replica)
    ? 'The replica is on the same disk as the data: it does not survive that disk. Set REPLICA_URL=s3://bucket/prefix and the AWS_* credentials.'
    : undefined;
  const mail = config.smtpServer ?? `no SMTP_URL: files in ${join(config.DATA_DIR, 'outbox')}`;
  const fields = {
    url,
    pids,
    dataDir: config.DATA_DIR,
    replica: config.replica.url,
    mail,
    startMs: Math.round(startMs),
  };
  const text = `ready: ${url} | ${tree.join(', ')} | data ${config.DATA_DIR} | replica ${config.replica.url} | mail ${mail}`;
  return [{ ...fields, ...(warning && { warning }) }, warning ? `${text} | WARNING: ${warning}` : text];
}
