import table from './proven-operators.json' with { type: 'json' };

/** An operator in a range of opsets, with the types that it was tried with and survived. */
export interface ProvenOperator {
  readonly opsets: readonly number[];
  /**
   * The types of the inputs, and those of the outputs that go with them: `"float32 int64": "float32 | float64"`. `-` is
   * an input that was left out, `*` stands for any number of the last.
   */
  readonly types: Readonly<Record<string, string>>;
  /** The texts that were tried, of attributes that are one text. */
  readonly texts?: Readonly<Record<string, readonly string[]>>;
  /** The inputs whose values set the shape of an output. */
  readonly sizedBy?: readonly number[];
  /** The inputs that must be constants of the graph: as what a request says, they end the process. */
  readonly constant?: readonly number[];
  /** What ends the process and cannot come to pass in a graph that the judge lets through. */
  readonly dies?: readonly string[];
}

const operators: Readonly<Record<string, readonly ProvenOperator[]>> = table.operators;

/** The entries of an operator (`Gemm`, `ai.onnx.ml:Scaler`) in an opset of its domain. */
export function findProven(operator: string, opset: number): readonly ProvenOperator[] {
  // `Object.hasOwn`: an operator may be called `constructor`.
  const entries = Object.hasOwn(operators, operator) ? (operators[operator] ?? []) : [];
  return entries.filter(({ opsets: [first = 0, last = 0] }) => first <= opset && opset <= last);
}

/** What the operator gives for inputs of these types, each way; undefined where it was not tried with them. */
export function findOutputs(
  entry: ProvenOperator,
  types: readonly (string | undefined)[],
): readonly (readonly string[])[] | undefined {
  const found = Object.entries(entry.types).find(([takes]) =>
    isMatch(takes === '' ? [] : takes.split(' '), types),
  );
  return found?.[1].split(' | ').map((gives) => (gives === '' ? [] : gives.split(' ')));
}

/** Inputs that are absent match any; those that were left out when it was tried match none that is there. */
function isMatch(takes: readonly string[], types: readonly (string | undefined)[]): boolean {
  const last = takes.at(-1);
  const repeated = last?.endsWith('*') ? last.slice(0, -1) : undefined;
  return types.every((type, place) => {
    if (type === undefined) return true;
    const wanted = place >= takes.length - 1 && repeated !== undefined ? repeated : takes[place];
    return wanted === type;
  });
}
