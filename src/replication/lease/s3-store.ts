import { randomUUID } from 'node:crypto';
import type { Config } from '../../config.ts';
import type { Secrets } from '../../secrets.ts';
import type { Replica } from '../replica-url.ts';
import { requestS3, type S3Answer, s3ErrorCode } from '../s3-request.ts';
import { LEASE_NAME, type LeaseStore, type Stored } from './store.ts';

const TIMEOUT_MS = 3000;
/** Somebody else was first; a store that decides between two at once may say 409. */
const REFUSALS: readonly number[] = [404, 409, 412];

/** The record as an object in a bucket, replaced only under the condition that it is what was read. */
export class S3LeaseStore implements LeaseStore {
  readonly isLockable = false;
  readonly #config: Config;
  readonly #replica: Replica & { readonly type: 's3' };
  readonly #credentials: Secrets;

  constructor(config: Config, replica: Replica & { readonly type: 's3' }, credentials: Secrets) {
    this.#config = config;
    this.#replica = replica;
    this.#credentials = credentials;
  }

  lock(): boolean {
    return true;
  }

  unlock(): void {}

  async read(): Promise<Stored | undefined> {
    const answer = await this.#send('GET', LEASE_NAME);
    if (answer.status === 404 && s3ErrorCode(answer.text) !== 'NoSuchBucket') return undefined;
    demandOk(answer, 'reading');
    return { text: answer.text, tag: answer.etag ?? '' };
  }

  async write(text: string, over: Stored | undefined): Promise<boolean> {
    return this.#put(LEASE_NAME, text, over);
  }

  async isConditional(): Promise<boolean> {
    const name = `.lease-${randomUUID()}`;
    const written = await Promise.all(['one', 'other'].map((text) => this.#put(name, text, undefined)));
    await this.#send('DELETE', name);
    return written.filter((isWritten) => isWritten).length === 1;
  }

  async #put(name: string, text: string, over: Stored | undefined): Promise<boolean> {
    const condition = over === undefined ? { 'if-none-match': '*' } : { 'if-match': over.tag };
    const answer = await this.#send('PUT', name, text, condition);
    if (REFUSALS.includes(answer.status) && s3ErrorCode(answer.text) !== 'NoSuchBucket') return false;
    demandOk(answer, 'writing');
    return true;
  }

  async #send(
    method: 'GET' | 'PUT' | 'DELETE',
    name: string,
    body = '',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<S3Answer> {
    const { bucket, prefix } = this.#replica;
    const key = prefix === '' ? name : `${prefix}/${name}`;
    const options = { config: this.#config, credentials: this.#credentials, timeoutMs: TIMEOUT_MS };
    return requestS3({ method, bucket, key, body, headers }, options);
  }
}

function demandOk({ status, text }: S3Answer, doing: string): void {
  if (status >= 200 && status <= 299) return;
  throw new Error(
    `${doing} ${LEASE_NAME} was answered with ${[status, s3ErrorCode(text)].filter(Boolean).join(' ')}`,
  );
}
