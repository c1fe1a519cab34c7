import type { Context } from 'koa';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import type { Feature, Write } from '../feature.ts';
import type { WriterClient } from '../writer/client.ts';

/** Asked for by a request, and told by an answer: `replicated` means that the replica holds the write. */
const HEADER = 'Durability';

/**
 * Gives each feature its way to the writer. What a request wants of a write beyond the write itself stands in its
 * headers, and is dealt with here, so that no feature has to know of it.
 */
export function writes(writer: WriterClient, config: Config): (feature: Feature) => Write<never> {
  return (feature) => {
    const write = async (ctx: Context, name: string, input: unknown, blob?: Buffer): Promise<unknown> => {
      const isReplicated = durabilityOf(ctx, config) === 'replicated';
      const value = await writer.write(`${feature.name}.${name}`, input, {
        blob,
        replicatedTimeoutMs: isReplicated ? config.REPLICATED_TIMEOUT_MS : 0,
      });
      if (isReplicated) ctx.set(HEADER, 'replicated');
      return value;
    };
    return write as unknown as Write<never>;
  };
}

/** A request may ask for more than the system's default, never for less. */
function durabilityOf(ctx: Context, config: Config): 'local' | 'replicated' {
  const asked = ctx.req.headers.durability;
  if (asked === undefined) return config.DURABILITY;
  if (asked === 'replicated') return 'replicated';
  if (asked === 'local') return config.DURABILITY;
  throw new Failure('invalid_request', 'The request has invalid fields', {
    errors: [{ field: HEADER, message: 'expected local or replicated' }],
  });
}
