import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import type { Logger } from '../log.ts';
import type { LitestreamBinary } from '../replication/binary.ts';
import type { Background, BackgroundInput } from '../runtime/background.ts';
import { pickSecrets, REPLICA_SECRETS, type Secrets } from '../secrets.ts';
import { Child, type ChildOptions } from './child.ts';
import { fork } from './fork.ts';
import type { Telemetry } from './telemetry.ts';

/** The watchdog in the child acts first and knows the stack; this is for a child that stands still as a whole. */
const SILENCE_GRACE_MS = 2500;

const WRITER_ENTRY = new URL('../writer/main.ts', import.meta.url);
const WORKER_ENTRY = new URL('../worker/main.ts', import.meta.url);
const PREPARE_ENTRY = new URL('../replication/prepare-main.ts', import.meta.url);
const DRILL_ENTRY = new URL('../replication/drill/main.ts', import.meta.url);

export interface ProcessFactoryOptions {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  readonly databases: readonly string[];
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** A child has found a database damaged; how, in words. */
  readonly onDamage: (reason: string) => void;
}

interface ProcessSpec {
  readonly name: string;
  readonly entry: URL;
  readonly input?: unknown;
  /** The secrets that it needs; it gets no other. */
  readonly env?: NodeJS.ProcessEnv;
  /** As `ChildOptions` has them. */
  readonly silenceTimeoutMs?: number;
  readonly drainBy?: ChildOptions['drainBy'];
}

/**
 * Forks every child that is Node, each kind with its entry, its input and the secrets that it needs. The writer and the
 * workers can be forked ahead of their turn: expected (`expect`) → begun (asked for), or ended (`endPreforked`).
 */
export class ProcessFactory {
  readonly #options: ProcessFactoryOptions;
  readonly #expected = new Map<string, Child>();

  constructor(options: ProcessFactoryOptions) {
    this.#options = options;
  }

  /** Forks those that will soon be wanted: they load their code while what comes before them is brought up. */
  expect(workers: readonly string[]): void {
    const specs = [
      { name: 'writer', entry: WRITER_ENTRY },
      ...workers.map((name) => ({ name, entry: WORKER_ENTRY })),
    ];
    for (const spec of specs) this.#expected.set(spec.name, this.#fork(spec, true));
  }

  /** Ends those that nobody has asked for. Resolves when they are gone. */
  async endPreforked(cause: string): Promise<void> {
    const children = [...this.#expected.values()];
    this.#expected.clear();
    for (const child of children) child.kill('SIGKILL', cause);
    await Promise.all(children.map((child) => child.ended()));
  }

  /** @param standby whether it shall load and wait for `activate` */
  worker(name: string, standby: boolean): Child {
    return this.#takeOrFork({ name, entry: WORKER_ENTRY, input: { standby } });
  }

  /** @param standby whether it shall load and wait for `activate`: another writer still has the databases */
  writer(standby: boolean): Child {
    return this.#takeOrFork({ name: 'writer', entry: WRITER_ENTRY, input: { standby } });
  }

  /** @param url where the system listens */
  background({ name, entry, secrets }: Background, url: string): Child {
    const input: BackgroundInput = { url };
    return this.#fork({ name, entry, input, env: { ...pickSecrets(this.#options.secrets, secrets) } });
  }

  /**
   * Checks or restores the databases in a process of its own: it may take minutes, and it may crash.
   * @param lastCommits of each database, as far as this primary knows
   */
  prepare(lastCommits: object): Child {
    return this.#forkWithReplica({
      name: 'prepare',
      entry: PREPARE_ENTRY,
      input: { lastCommits },
      drainBy: 'SIGTERM',
    });
  }

  /** It stands still for as long as SQLite takes. */
  drill(): Child {
    return this.#forkWithReplica({ name: 'drill', entry: DRILL_ENTRY, input: {}, silenceTimeoutMs: 0 });
  }

  /** A process that reads the replica by itself. */
  #forkWithReplica(spec: ProcessSpec & { readonly input: object }): Child {
    const { litestream, litestreamConfigPath, databases, secrets } = this.#options;
    const input = { litestream, litestreamConfigPath, databases, ...spec.input };
    return this.#fork({ ...spec, input, env: { ...pickSecrets(secrets, REPLICA_SECRETS) } });
  }

  /** @returns the one that was expected, if it lives, else a new one */
  #takeOrFork(spec: ProcessSpec): Child {
    const expected = this.#expected.get(spec.name);
    this.#expected.delete(spec.name);
    if (!expected?.canBeActivated) return this.#fork(spec);
    expected.begin(spec.input);
    return expected;
  }

  #fork(
    { name, entry, input, env, silenceTimeoutMs, drainBy = 'message' }: ProcessSpec,
    isHeld = false,
  ): Child {
    const { config, log, telemetry, onDamage } = this.#options;
    const child = new Child({
      name,
      process: fork({ role: name, entryPath: fileURLToPath(entry), config, isHeld, input }, env),
      isHeld,
      startTimeoutMs: config.START_TIMEOUT_MS,
      drainBy,
      silenceTimeoutMs: silenceTimeoutMs ?? config.HANG_TIMEOUT_MS + SILENCE_GRACE_MS,
      log,
    });
    telemetry.hear(child);
    child.on('message', (message) => {
      if (message.kind === 'damaged') onDamage(message.reason);
    });
    return child;
  }
}
