import type { Steps } from '../../time/slices.js';

/** A part of an OpenAPI document. */
export type Json = Record<string, unknown>;

/** The document that `@fastify/swagger` makes from the routes. */
export interface OpenApiDocument extends Json {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly components?: { readonly schemas?: Json };
}

/** Parts at this depth are written in one step: one feature in the schema of a model. */
export const stepDepth = 5;

/** A value of plain JSON, as `JSON.stringify` writes it. Others get the thread between two parts. */
export function* toJson(value: unknown, depth = stepDepth): Steps<string> {
  if (depth === 0 || typeof value !== 'object' || value === null) {
    yield;
    return JSON.stringify(value) ?? 'null';
  }
  const parts: string[] = [];
  if (Array.isArray(value)) {
    for (const item of value) parts.push(yield* toJson(item, depth - 1));
    return `[${parts.join()}]`;
  }
  for (const [key, member] of Object.entries(value))
    if (member !== undefined) parts.push(`${JSON.stringify(key)}:${yield* toJson(member, depth - 1)}`);
  return `{${parts.join()}}`;
}
