import type { TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { FastifySchemaCompiler } from 'fastify';
import { ServiceError } from '../errors.js';

/**
 * Checks the query of a request, whose values are texts, and converts them to the numbers of the schema. A name that the
 * schema does not have is refused.
 */
export const compileQuery: FastifySchemaCompiler<unknown> = ({ schema }) => {
  const known = schema as TSchema & { readonly properties?: Readonly<Record<string, TSchema>> };
  return (query: unknown) => {
    const value: Record<string, unknown> = Value.Default(known, { ...(query as object) }) as Record<
      string,
      unknown
    >;
    // Not `Value.Convert`, which takes 1e308 for a small number and 0x10 for 16.
    for (const [name, text] of Object.entries(value)) {
      const isWhole = known.properties?.[name]?.['type'] === 'integer';
      if (isWhole && typeof text === 'string' && /^\d{1,15}$/.test(text)) value[name] = Number(text);
    }
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(known.properties ?? {}, name));
    if (unknown !== undefined)
      return {
        error: refuse(
          `The query has no ${unknown}: it takes ${Object.keys(known.properties ?? {}).join(', ')}.`,
        ),
      };
    const [fault] = Value.Errors(known, value);
    if (fault === undefined) return { value };
    return {
      error: refuse(`The query ${fault.path.slice(1)} is not right: ${fault.message.toLowerCase()}.`),
    };
  };
};

function refuse(detail: string): ServiceError {
  return new ServiceError('invalid_request', { detail });
}
