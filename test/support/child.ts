import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { getCompileCacheDir } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { loadConfig } from '../../src/config/config.ts';
import type { ToChild, ToPrimary } from '../../src/messages/messages.ts';
import { dyingWithParent } from '../../src/platform/dying-with-parent.ts';
import { CONTEXT_VARIABLE, type ForkedContext } from '../../src/runtime/runtime.ts';
import { bare } from './bare.ts';
import { within } from './system.ts';

const ENTRY = fileURLToPath(new URL('../../src/runtime/main.ts', import.meta.url));

export interface ChildOptions {
  /** A process of a feature goes by it. */
  readonly role?: string;
  /** Below src/. */
  readonly entry: string;
  readonly dataDir: string;
  readonly input?: unknown;
  /** Whether it waits, once it has loaded, for `activate`. */
  readonly standby?: boolean;
  readonly settings?: Readonly<Record<string, string>>;
  readonly env?: NodeJS.ProcessEnv;
}

/** A child process as the primary forks it, without a primary. */
export class TestChild {
  readonly process: ChildProcess;
  readonly #messages: ToPrimary[] = [];
  /** Of the one that waits. */
  #wake: () => void = () => {};

  constructor(t: Test, options: ChildOptions) {
    const { role = 'test', entry, dataDir, input, standby = false, settings = {}, env = {} } = options;
    const { config } = loadConfig({ DATA_DIR: dataDir, LOG_LEVEL: 'silent', ...settings }, dataDir);
    const entryPath = fileURLToPath(new URL(`../../src/${entry}`, import.meta.url));
    const context: ForkedContext = {
      primaryPid: process.pid,
      role,
      entryPath,
      config,
      standby: standby ? 'all' : 'none',
      input,
    };
    const { PATH, HOME, NINELIVES_APP } = process.env;
    // Whoever kills this process shall not leave a child behind that nobody knows of.
    const { command, args } = dyingWithParent(process.execPath, [ENTRY, 'test']);
    this.process = spawn(...bare(command, args), {
      env: {
        PATH,
        HOME,
        NINELIVES_APP,
        NODE_COMPILE_CACHE: getCompileCacheDir(),
        [CONTEXT_VARIABLE]: JSON.stringify(context),
        ...env,
      },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.process.on('message', (message) => {
      this.#messages.push(message as ToPrimary);
      this.#wake();
    });
    this.process.on('disconnect', () => this.#wake());
    t.teardown(async () => {
      this.process.kill('SIGKILL');
      if (this.process.exitCode === null && this.process.signalCode === null)
        await once(this.process, 'exit');
    });
  }

  send(message: ToChild): void {
    this.process.send(message);
  }

  /** The first message of a kind, past or future. Throws with what it said when it ends without one. */
  async said<Kind extends ToPrimary['kind']>(kind: Kind): Promise<Extract<ToPrimary, { kind: Kind }>> {
    for (;;) {
      const found = this.#messages.find((message) => message.kind === kind);
      if (found) return found as Extract<ToPrimary, { kind: Kind }>;
      if (!this.process.connected) throw new Error(`it ended: ${JSON.stringify(this.#messages)}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await within(promise, `${kind} is said`);
    }
  }

  /** Its exit code, once it has ended. */
  async exitCode(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null)
      await within(once(this.process, 'exit'), 'the child ends');
    return this.process.exitCode;
  }
}
