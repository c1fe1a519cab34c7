import type { Failure } from '../../src/platform/errors.ts';
import type { WriterClient } from '../../src/writer-client/client.ts';

export const named = (key: string, fingerprint = key, owner = 'ann') => ({ owner, key, fingerprint });

/** Writes under a key. @returns the value, or the code of the refusal, and whether it was an earlier one's */
export async function write(client: WriterClient, name: string, id: string, idempotency = named(id)) {
  let isReplay = false;
  const onReplay = () => {
    isReplay = true;
  };
  try {
    return { value: await client.write(name, { id }, { idempotency, onReplay }), isReplay };
  } catch (failure) {
    return { code: (failure as Failure).code, isReplay };
  }
}
