import { engineVersion } from './engine-version.js';

/** Advice on one refusal, found by the engine's message (onnxruntime 1.30.0). */
interface Advice {
  readonly pattern: RegExp;
  readonly advise: (found: readonly string[]) => string;
}

const noCustom = 'No custom operators are loaded here';
const lowerOpset = 'a lower opset_version in torch.onnx.export, target_opset in skl2onnx and onnxmltools';

/** The first match counts, so the order matters. A test makes the real engine say each of these messages. */
const table: readonly Advice[] = [
  {
    pattern: /Unsupported model IR version: \d+, max supported IR version: (\d+)/,
    advise: ([, most]) =>
      `This engine takes IR versions up to ${most}: export with ${lowerOpset}, or set model.ir_version = ${most} with the Python package onnx and save it again.`,
  },
  {
    pattern: /official support for domain ([\w.]+) is till opset (\d+)/i,
    advise: ([, domain, most]) =>
      `This engine takes opset ${most} of ${domain} and lower: export with ${lowerOpset}.`,
  },
  {
    pattern: /((?:ai\.onnx\.contrib|com\.microsoft\.extensions):\w+)\S* is not a registered function/,
    advise: ([, operator]) =>
      `${noCustom}, and ${operator} comes from onnxruntime-extensions: let the client do this step, and export the graph without it.`,
  },
  {
    pattern: /(com\.microsoft(?:\.[\w.]+)?:\w+)\S* is not a registered function/,
    advise: ([, operator]) =>
      `${operator} is not among the CPU operators of this engine: export without the optimizations for another device, or with the operators of ai.onnx.`,
  },
  {
    pattern: /(org\.pytorch\.\w+:\w+)\S* is not a registered function/,
    advise: ([, operator]) =>
      `${noCustom}, and ${operator} is a fallback of PyTorch's exporter: export without OperatorExportTypes.ONNX_ATEN_FALLBACK.`,
  },
  {
    pattern: /([\w.]+:\w+)\S* is not a registered function/,
    advise: ([, operator]) =>
      `${noCustom}: export ${operator} as operators of ai.onnx or ai.onnx.ml, or as a function within the model.`,
  },
  {
    pattern: /No opset import for domain '([^']*)'/,
    advise: ([, domain]) =>
      `${noCustom}: export without operators of ${domain}; if it is a domain of functions within the model, add it to the model's opset imports.`,
  },
  {
    pattern: /No Op registered for (\w+) with domain_version of (\d+)/,
    advise: ([, operator, opset]) =>
      `${operator} is no operator of opset ${opset}: export with an opset that has it. If the operator is your own, export it as operators of ai.onnx. ${noCustom}.`,
  },
  {
    pattern: /bound to different types \(tensor\((double|float)\) and tensor\((double|float)\)/,
    advise: () => mixedFloats,
  },
  {
    pattern:
      /Type \(tensor\((double|float)\)\) of output arg .* does not match expected type \(tensor\((?:double|float)\)\)/,
    advise: () => mixedFloats,
  },
  {
    pattern:
      /bound to different types \((\S+) and (\S+) in node|Type \((\S+)\) of output arg .* expected type \((\S+)\)/,
    advise: ([, a, b, c, d]) =>
      `The graph mixes ${a ?? c} and ${b ?? d}: cast one to the other before the export.`,
  },
  {
    pattern: /Type '([^']+)' of input parameter \([^)]*\) of operator \((\w+)\)/,
    advise: ([, type, operator]) =>
      `${operator} takes no ${type}: cast its input before the export, to float32 if it is a number.`,
  },
  {
    pattern: /Failed to construct locale with name:([\w.@-]+)/,
    advise: ([, locale = '']) => adviseOnLocale(locale),
  },
  {
    pattern: /Could not find an implementation for (\w+)|Failed to find kernel for (\w+)/,
    advise: ([, a, b]) =>
      `The engine has no ${a ?? b} for these types on a CPU: export it in float32. Export a quantized model with QuantizeLinear and DequantizeLinear around float32 operators (QDQ).`,
  },
  {
    pattern: /External data path|External initializer|external data/i,
    advise: () =>
      'Put the weights file that the exporter wrote beside the model file, under its original name.',
  },
  {
    pattern:
      /is marked single but has an empty string|has input size \d+ not in range|is not a graph input, initializer|Graph output \(.*\) does not exist|Required attribute|Unrecognized attribute|two nodes with same node name/,
    advise: () => incomplete,
  },
  { pattern: /ShapeInferenceError|TypeInferenceError|This is an invalid model/, advise: () => incomplete },
];

const mixedFloats =
  'The graph mixes float64 and float32: export all of it in float32, by FloatTensorType in initial_types (skl2onnx) or model.float() (PyTorch), or cast one to the other.';
const incomplete =
  'The graph is incomplete or contradicts itself: onnx.checker.check_model(model, full_check=True) in Python shows where. Export it again, with a newer exporter.';

/** How to fix what the engine's message reports; undefined for an unknown message. */
export function adviseOn(text: string): string | undefined {
  for (const { pattern, advise } of table) {
    const found = pattern.exec(text);
    if (found !== null) return advise(found);
  }
  return undefined;
}

/** The engine's message, with the advice appended. */
export function withAdvice(text: string): string {
  const advice = adviseOn(text);
  return advice === undefined ? text : `${text.replace(/\.?$/, '.')} ${advice}`;
}

const maxOperators = 40;

/**
 * What to do about a crash, to append to a sentence that says how the child ended. Empty if a limit of the server
 * ended the child, since that sentence names the limit.
 */
export function adviseOnCrash(how: string, operators: ReadonlySet<string> = new Set()): string {
  if (!/SIG[A-Z]+|exit code/.test(how) || /MAX_MODEL_MEMORY_MB|MODEL_LOAD_TIMEOUT_MS/.test(how)) return '';
  const names = [...operators].sort();
  const listed = names.slice(0, maxOperators).join(', ') + (names.length > maxOperators ? ', …' : '');
  const held = names.length === 0 ? '' : `, and the graph holds ${listed}`;
  return `. The engine is onnxruntime ${engineVersion}${held}: export with another opset, or without the operator that crashes it.`;
}

/** Debian's `localedef` takes the parts of a locale: en_US.UTF-8 is en_US in UTF-8. */
function adviseOnLocale(locale: string): string {
  const [place, charset = 'UTF-8'] = locale.split('.');
  return (
    `Install the locale ${locale} where the server runs (Debian: apt-get install locales && localedef -i ${place} -f ${charset} ${locale}; ` +
    'or set LOCPATH to a folder that holds it), or export the node StringNormalizer with the locale "C", which changes only the case of ASCII letters.'
  );
}
