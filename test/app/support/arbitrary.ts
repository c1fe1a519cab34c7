import fc, { type Arbitrary } from 'fast-check';
import type { JsonSchema } from '../../../src/contract/route.ts';
import type { OpenApiDocument } from '../../../src/worker/openapi/document.ts';

const FORMATS: Readonly<Record<string, Arbitrary<string>>> = {
  date: fc
    .date({ min: new Date('2000-01-01'), max: new Date('2200-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
  email: fc.emailAddress(),
  iri: fc.webUrl(),
  uri: fc.webUrl(),
};

/** Makes values that are as a schema of the document says, as far as a schema can say it. */
export class SchemaArbitraries {
  readonly #components: OpenApiDocument['components']['schemas'];

  constructor(document: OpenApiDocument) {
    this.#components = document.components.schemas;
  }

  of(schema: JsonSchema): Arbitrary<unknown> {
    const { $ref, anyOf, oneOf, examples } = schema;
    if (typeof $ref === 'string') return this.of(this.#components[$ref.split('/').at(-1)!]!);
    const choices = (anyOf ?? oneOf) as JsonSchema[] | undefined;
    if (choices) return fc.oneof(...choices.map((choice) => this.of(choice)));
    const made = this.#made(schema);
    return Array.isArray(examples) ? fc.oneof(fc.constantFrom(...examples), made) : made;
  }

  #made(schema: JsonSchema): Arbitrary<unknown> {
    if ('const' in schema) return fc.constant(schema.const);
    if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
    if (Array.isArray(schema.type)) {
      return fc.oneof(...schema.type.map((type) => this.#made({ ...schema, type })));
    }
    switch (schema.type) {
      case 'string':
        return stringOf(schema);
      case 'integer':
        return fc.integer(rangeOf(schema, 'minimum', 'maximum'));
      case 'number':
        return fc.double({ noNaN: true, noDefaultInfinity: true });
      case 'boolean':
        return fc.boolean();
      case 'null':
        return fc.constant(null);
      case 'array':
        return fc.array(this.of((schema.items ?? {}) as JsonSchema), { maxLength: 5 });
      case 'object':
        return this.#objectOf(schema);
      default:
        return fc.jsonValue();
    }
  }

  #objectOf({ properties = {}, required = [], minProperties = 0 }: JsonSchema): Arbitrary<unknown> {
    const members = Object.entries(properties as Record<string, JsonSchema>);
    const made = fc.record(Object.fromEntries(members.map(([name, member]) => [name, this.of(member)])), {
      requiredKeys: required as string[],
    });
    return made.filter((value) => Object.keys(value).length >= Number(minProperties));
  }
}

function stringOf({ not, ...schema }: JsonSchema): Arbitrary<string> {
  const excluded = ((not as JsonSchema | undefined)?.enum ?? []) as readonly string[];
  return anyStringOf(schema).filter((text) => !excluded.includes(text));
}

function anyStringOf({ format, pattern, minLength, maxLength = 300 }: JsonSchema): Arbitrary<string> {
  const known = FORMATS[String(format)];
  if (known) return known;
  if (typeof pattern === 'string') return fc.stringMatching(new RegExp(pattern, 'u'));
  return fc.string({
    unit: 'grapheme',
    ...(minLength !== undefined && { minLength: minLength as number }),
    maxLength: maxLength as number,
  });
}

function rangeOf(schema: JsonSchema, low: string, high: string): { min?: number; max?: number } {
  return {
    ...(low in schema && { min: schema[low] as number }),
    ...(high in schema && { max: schema[high] as number }),
  };
}
