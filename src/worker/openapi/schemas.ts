import { z } from 'zod';
import type { JsonSchema } from '../../contract/route.ts';

/** Where a schema is used: what clients send, or what they get. */
export type Direction = 'input' | 'output';

/**
 * Turns zod schemas into JSON Schema (draft 2020-12, the dialect of OpenAPI 3.1). A schema with an `id` in its metadata
 * goes into the document's components once, and is referred to wherever it is used.
 */
export class Schemas {
  readonly components: Record<string, JsonSchema> = {};

  /** @throws Error when two different schemas have one id */
  add(schema: z.ZodType | JsonSchema, direction: Direction): JsonSchema {
    if (!(schema instanceof z.ZodType)) return schema;
    // Wrapped in an object, so that a schema with an id becomes a definition, also when it is the outermost one.
    const { properties, $defs = {} } = z.toJSONSchema(z.object({ root: schema }), {
      io: direction,
      override: ({ jsonSchema }) => {
        // Clients must tolerate members that later versions add to answers. For requests the ban stays visible.
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
