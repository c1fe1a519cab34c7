import { access, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../../config/config.ts';
import type { Replica } from '../../config/replica-url.ts';
import { http, https } from '../../platform/node-http.ts';
import { agentFor, type StoreSettings, storeUrl } from './reach.ts';

/** The interval while all is well: an outage shows within ten seconds even when nothing is written. */
const CALM_INTERVAL_MS = 4000;
/** The interval while something is wrong, so that its end is noticed at once. */
const URGENT_INTERVAL_MS = 500;
const ANSWER_TIMEOUT_MS = 2000;
/** One lost answer is no outage, unless something else is wrong, too. */
const SILENCES_MIN = 2;
/** An overloaded store answers 503 now and then, but is there. Only this many in a row count as an outage. */
const BUSY_ANSWERS = 3;
const BUSY_PAUSE_MS = 100;
/** Counts as an outage, too: nothing arrives, though the store is not at fault. */
const TOO_MANY_REQUESTS = 429;

/** A disk with less room counts as full: Litestream 0.3 then waits for ever for its write, and says nothing. */
const ROOM_MIN_BYTES = 1024 * 1024;

export interface StoreProbeOptions {
  readonly config: Pick<Config, 'replica'> & StoreSettings;
  /** Whether something is wrong with the replication. */
  readonly isUrgent: () => boolean;
  /** Gets the result of each probe: why the store does not answer, for people; undefined when it does. */
  readonly onResult: (silence: string | undefined) => void;
}

/**
 * Asks the replica's store at an interval whether it is there. Litestream waits for ever for a store that takes its
 * connection and then says nothing, even when another connection would be answered. So something else must notice that
 * the store is back. The probe sends no credentials; a store that answers with a refusal is there.
 *
 * States: off → on (`start`) → off (`stop`).
 */
export class StoreProbe {
  readonly #options: StoreProbeOptions;
  #timer: NodeJS.Timeout | undefined;
  #isOn = false;
  #askedMs = 0;
  /** The number of the last request, and the highest number that has a result. */
  #asked = 0;
  #heard = 0;
  #silences = 0;

  constructor(options: StoreProbeOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#askedMs = performance.now();
    this.#schedule();
  }

  stop(): void {
    this.#isOn = false;
    clearTimeout(this.#timer);
  }

  /** If something is wrong, asks now, or as soon as the urgent interval since the last request has passed. */
  wake(): void {
    if (this.#isOn && this.#options.isUrgent()) this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const isUrgent = this.#silences > 0 || this.#options.isUrgent();
    const intervalMs = isUrgent ? URGENT_INTERVAL_MS : CALM_INTERVAL_MS;
    const delayMs = Math.max(0, this.#askedMs + intervalMs - performance.now());
    this.#timer = setTimeout(() => void this.#ask(), delayMs).unref();
  }

  /** Does not delay the next request: a store that is back answers that, and never those that it took before. */
  async #ask(): Promise<void> {
    const { config, isUrgent, onResult } = this.#options;
    this.#askedMs = performance.now();
    this.#asked += 1;
    const number = this.#asked;
    this.#schedule();
    const silence = await silenceOf(config);
    if (!this.#isOn || number < this.#heard) return;
    this.#heard = number;
    this.#silences = silence === undefined ? 0 : this.#silences + 1;
    if (silence === undefined || isUrgent() || this.#silences >= SILENCES_MIN) onResult(silence);
    // The result may change the interval.
    if (this.#isOn) this.#schedule();
  }
}

/** @returns why the store does not answer; undefined when it does. Never throws. */
export async function silenceOf(config: StoreProbeOptions['config']): Promise<string | undefined> {
  const { replica } = config;
  if (replica.type === 'file') return silenceOfFolder(replica);
  return silenceOfUrl(storeUrl(config)).catch(({ message }: Error) => message);
}

async function silenceOfUrl(url: URL): Promise<string | undefined> {
  for (let tries = 1; ; tries += 1) {
    const answer = await answerOf(url);
    if (typeof answer === 'string') return answer;
    if (answer < 500 && answer !== TOO_MANY_REQUESTS) return undefined;
    if (tries === BUSY_ANSWERS) return `the store answers with ${answer}`;
    await delay(BUSY_PAUSE_MS);
  }
}

/** @returns the status; or why there is none, for people */
async function answerOf(url: URL): Promise<number | string> {
  return new Promise((resolve) => {
    const { request } = url.protocol === 'https:' ? https() : http();
    const agent = agentFor(url, process.env, { takesAnyCertificate: true });
    const end = (answer: number | string) => {
      clearTimeout(timer);
      sent.destroy();
      agent.destroy();
      resolve(answer);
    };
    const sent = request(url, { agent }, ({ statusCode = 0 }) => end(statusCode));
    const timer = setTimeout(
      () => end(`the store says nothing for ${ANSWER_TIMEOUT_MS / 1000} s`),
      ANSWER_TIMEOUT_MS,
    );
    sent.on('error', (error: NodeJS.ErrnoException) =>
      end(`the store cannot be reached (${error.code ?? error.message})`),
    );
    sent.end();
  });
}

/** A network disk may hang like a store. Litestream makes the replica's folder, but not the one above it. */
async function silenceOfFolder({ path }: Extract<Replica, { type: 'file' }>): Promise<string | undefined> {
  const parent = dirname(path);
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(`${parent} does not answer`), ANSWER_TIMEOUT_MS);
  const found = access(parent).then(
    () => lackOfRoom(path, parent),
    (error: NodeJS.ErrnoException) => `${parent} cannot be read (${error.code})`,
  );
  const silence = await Promise.race([found, late.promise]);
  clearTimeout(timer);
  return silence;
}

async function lackOfRoom(path: string, parent: string): Promise<string | undefined> {
  const { bavail, bsize } = await statfs(path).catch(() => statfs(parent));
  return bavail * bsize < ROOM_MIN_BYTES ? `the disk of ${path} is full` : undefined;
}
