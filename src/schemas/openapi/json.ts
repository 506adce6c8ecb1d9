/** A part of an OpenAPI document. */
export type Json = Record<string, unknown>;

/** The document that `@fastify/swagger` makes from the routes. */
export interface OpenApiDocument extends Json {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly components?: { readonly schemas?: Json };
}
