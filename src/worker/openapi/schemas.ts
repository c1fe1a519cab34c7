import { z } from 'zod';
import type { JsonSchema } from '../../contract/route.ts';

/** Where a schema is used: what clients send, or what they get. */
export type Direction = 'input' | 'output';

/**
 * Turns zod's schemas into JSON Schema (draft 2020-12, the dialect of OpenAPI 3.1). One that has an `id` in its
 * metadata goes into the document's components once, and is referred to from wherever it is used.
 */
export class Schemas {
  readonly components: Record<string, JsonSchema> = {};

  /** @throws Error when two different schemas have one id */
  add(schema: z.ZodType | JsonSchema, direction: Direction): JsonSchema {
    if (!(schema instanceof z.ZodType)) return schema;
    // Below a root of its own, so that a schema with an id becomes a definition like any other.
    const { properties, $defs = {} } = z.toJSONSchema(z.object({ root: schema }), {
      io: direction,
      override: ({ jsonSchema }) => {
        // Clients must put up with members that later versions add; what they may not send they are told.
        if (direction === 'output' && jsonSchema.additionalProperties === false)
          delete jsonSchema.additionalProperties;
      },
    });
    for (const [id, definition] of Object.entries($defs)) {
      const { id: _id, ...component } = withComponentRefs(definition) as JsonSchema;
      const known = this.components[id];
      if (known && JSON.stringify(known) !== JSON.stringify(component)) {
        throw new Error(`Two different schemas have the id ${id}`);
      }
      this.components[id] = component;
    }
    return withComponentRefs(properties!.root) as JsonSchema;
  }
}

function withComponentRefs(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll('"#/$defs/', '"#/components/schemas/'));
}
