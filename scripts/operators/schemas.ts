import { readFileSync } from 'node:fs';

/** The file of `schemas.py`: ONNX's operators, by version. */
interface SchemaFile {
  readonly onnx: string;
  /** The newest opset of each domain that the engine supports. */
  readonly newest: Readonly<Record<string, number>>;
  readonly typeSets: readonly string[];
  readonly operators: Readonly<Record<string, readonly Schema[]>>;
}

export interface Schema {
  readonly since: number;
  readonly deprecated?: true;
  /** The type parameter or type of each input, with `?` for optional and `*` for any number. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The place in `typeSets`, by type parameter. */
  readonly types: Readonly<Record<string, number>>;
}

export const schemaFile = JSON.parse(
  readFileSync(new URL('schemas.json', import.meta.url), 'utf8'),
) as SchemaFile;

/** Current exporters write this opset or a newer one. */
const oldestOpset = 9;

export interface SchemaVersion extends Schema {
  /** The last opset of the domain that uses this version. */
  readonly until: number;
}

export const domainOf = (op: string): string => op.slice(0, Math.max(0, op.lastIndexOf(':')));

/** The versions that a graph of opset 9 or newer can use. An operator outside ONNX has one version, without types. */
export function versionsOf(op: string): readonly SchemaVersion[] {
  const domain = domainOf(op);
  const all = schemaFile.operators[op];
  if (all === undefined) return [{ since: 1, until: 1, inputs: [], outputs: [], types: {} }];
  const newest = schemaFile.newest[domain] ?? 1;
  return all
    .map((schema, at) => ({ ...schema, until: (all[at + 1]?.since ?? newest + 1) - 1 }))
    .filter(({ until, deprecated }) => deprecated === undefined && (domain !== '' || until >= oldestOpset));
}
