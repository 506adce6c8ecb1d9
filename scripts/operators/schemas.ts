import { readFileSync } from 'node:fs';

/** What `schemas.py` wrote: ONNX's operators, version by version. */
interface SchemaFile {
  readonly onnx: string;
  /** The newest opset of each domain: as new as the engine takes. */
  readonly newest: Readonly<Record<string, number>>;
  readonly typeSets: readonly string[];
  readonly operators: Readonly<Record<string, readonly Schema[]>>;
}

export interface Schema {
  readonly since: number;
  readonly deprecated?: true;
  /** The type parameter or type of each, with `?` for optional and `*` for any number. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** By type parameter, the place of its types in `typeSets`. */
  readonly types: Readonly<Record<string, number>>;
}

export const schemaFile = JSON.parse(
  readFileSync(new URL('schemas.json', import.meta.url), 'utf8'),
) as SchemaFile;

/** Exporters of today write this opset or a newer one. */
const oldestOpset = 9;

export interface SchemaVersion extends Schema {
  /** The last opset of the domain for which this version stands. */
  readonly until: number;
}

export const domainOf = (op: string): string => op.slice(0, Math.max(0, op.lastIndexOf(':')));

/** The versions of an operator that a graph of opset 9 or newer can mean; one without types where ONNX has none. */
export function versionsOf(op: string): readonly SchemaVersion[] {
  const domain = domainOf(op);
  const all = schemaFile.operators[op];
  if (all === undefined) return [{ since: 1, until: 1, inputs: [], outputs: [], types: {} }];
  const newest = schemaFile.newest[domain] ?? 1;
  return all
    .map((schema, at) => ({ ...schema, until: (all[at + 1]?.since ?? newest + 1) - 1 }))
    .filter(({ until, deprecated }) => deprecated === undefined && (domain !== '' || until >= oldestOpset));
}
