import type { Context } from 'koa';
import type { Config } from '../config/config.ts';
import type { Commands, Write } from '../contract/command.ts';
import type { Feature } from '../contract/feature.ts';
import { Failure } from '../platform/errors.ts';
import type { WriteOptions, WriterClient } from '../writer-client/client.ts';
import { idempotencyOf } from './idempotency-key.ts';

/** Header of a request and of an answer: `replicated` means that the replica holds the write. */
const DURABILITY = 'Durability';
/** Header of an answer that repeats the answer to the first request with the same Idempotency-Key. */
const REPLAYED = 'Idempotent-Replayed';

/**
 * Makes the `write` function of each feature. The headers Durability and Idempotency-Key are handled here, so that no
 * feature needs to know of them.
 */
export function writes(writer: WriterClient, config: Config): (feature: Feature) => Write<Commands> {
  return (feature) => {
    return async (ctx, name, input, blob) => {
      const isReplicated = durabilityOf(ctx, config) === 'replicated';
      const fullName = `${feature.name}.${name}`;
      const replicatedTimeoutMs = isReplicated ? config.REPLICATED_TIMEOUT_MS : 0;
      const value =
        ctx.req.headers['idempotency-key'] === undefined
          ? await writer.write(fullName, input, { blob, replicatedTimeoutMs })
          : await writeOnce(ctx, fullName, input, { blob, replicatedTimeoutMs });
      if (isReplicated) ctx.set(DURABILITY, 'replicated');
      return value;
    };
  };

  async function writeOnce(
    ctx: Context,
    name: string,
    input: unknown,
    options: WriteOptions,
  ): Promise<unknown> {
    const idempotency = await idempotencyOf(ctx, options.blob);
    let isReplay = false;
    const onReplay = () => {
      isReplay = true;
    };
    try {
      const value = await writer.write(name, input, { ...options, idempotency, onReplay });
      if (isReplay) ctx.set(REPLAYED, 'true');
      return value;
    } catch (failure) {
      if (!isReplay || !(failure instanceof Failure)) throw failure;
      const { code, message, options } = failure;
      throw new Failure(code, message, { ...options, headers: { ...options.headers, [REPLAYED]: 'true' } });
    }
  }
}

/** A request may ask for more than the system's default, never for less. */
function durabilityOf(ctx: Context, config: Config): 'local' | 'replicated' {
  const asked = ctx.req.headers.durability;
  if (asked === undefined) return config.DURABILITY;
  if (asked === 'replicated') return 'replicated';
  if (asked === 'local') return config.DURABILITY;
  throw new Failure('invalid_request', 'The request has invalid fields', {
    errors: [{ field: DURABILITY, message: 'expected local or replicated' }],
  });
}
