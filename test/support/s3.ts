import type { Test } from 'tap';
import { StoreProxy } from '../../loadtest/support/store-proxy.ts';
import { type Condition, type S3Store, startS3Server } from '../../src/testing/s3-server.ts';

export type TestStore = S3Store;

/** Starts a server that speaks the S3 protocol, as `startS3Server` does. It ends with the test. */
export async function startS3(
  t: Test,
  bucket?: string,
  evaluated?: readonly Condition[],
): Promise<TestStore> {
  const store = await startS3Server(bucket, evaluated);
  t.teardown(() => store.destroy());
  return store;
}

/** Starts a proxy in front of a store, whose weather a test makes. It ends with the test. */
export async function startStoreProxy(
  t: Test,
  { endpoint }: Pick<TestStore, 'endpoint'>,
): Promise<StoreProxy> {
  const proxy = await StoreProxy.start(endpoint);
  t.teardown(() => proxy.close());
  return proxy;
}
