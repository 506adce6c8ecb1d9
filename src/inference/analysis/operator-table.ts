import table from './proven-operators.json' with { type: 'json' };

/** An operator in a range of opsets, with the types with which it was tried and survived. */
export interface ProvenOperator {
  readonly opsets: readonly number[];
  /** Input → output types: `"float32 int64": "float32 | float64"`. `-` is an omitted input, `*` repeats the last. */
  readonly types: Readonly<Record<string, string>>;
  /** The values that were tried, for attributes of one text. */
  readonly texts?: Readonly<Record<string, readonly string[]>>;
  /** The inputs whose values set the shape of an output. */
  readonly sizedBy?: readonly number[];
  /** The inputs that must be constants of the graph: values from a request could end the process. */
  readonly constant?: readonly number[];
  /** Cases that end the process, and that cannot occur in a graph that `judgeGraph` accepts. */
  readonly dies?: readonly string[];
}

const operators: Readonly<Record<string, readonly ProvenOperator[]>> = table.operators;

/** `operator` is `Gemm` or `ai.onnx.ml:Scaler`, `opset` a version of its domain. */
export function findProven(operator: string, opset: number): readonly ProvenOperator[] {
  // `Object.hasOwn`: an operator may be called `constructor`.
  const entries = Object.hasOwn(operators, operator) ? (operators[operator] ?? []) : [];
  return entries.filter(({ opsets: [first = 0, last = 0] }) => first <= opset && opset <= last);
}

/** The possible output types for these input types; undefined if they were not tried. */
export function findOutputs(
  entry: ProvenOperator,
  types: readonly (string | undefined)[],
): readonly (readonly string[])[] | undefined {
  const found = Object.entries(entry.types).find(([takes]) =>
    isMatch(takes === '' ? [] : takes.split(' '), types),
  );
  return found?.[1].split(' | ').map((gives) => (gives === '' ? [] : gives.split(' ')));
}

/** An absent input matches any type. An input that was omitted when tried matches no present one. */
function isMatch(takes: readonly string[], types: readonly (string | undefined)[]): boolean {
  const last = takes.at(-1);
  const repeated = last?.endsWith('*') ? last.slice(0, -1) : undefined;
  return types.every((type, place) => {
    if (type === undefined) return true;
    const wanted = place >= takes.length - 1 && repeated !== undefined ? repeated : takes[place];
    return wanted === type;
  });
}
