import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { messageOf } from '../../../src/errors.js';
import { adviseOn, adviseOnCrash, withAdvice } from '../../../src/inference/engine/engine-advice.js';
import { openSession } from '../../../src/inference/engine/session.js';
import * as onnx from '../../helpers/onnx.js';
import { initializer, int, node, string, tensorValue } from '../../helpers/onnx.js';

const engineVersion: string = createRequire(import.meta.url)('onnxruntime-node/package.json').version;

type Parts = Partial<onnx.ModelSource> & { readonly type?: onnx.ElementType };

const graphOf = (nodes: onnx.ModelSource['nodes'], { type = 'float32', ...rest }: Parts = {}) =>
  onnx.model({
    inputs: [tensorValue('X', type, ['N', 2])],
    outputs: [tensorValue('Y', type)],
    nodes: nodes ?? [],
    ...rest,
  });

/** The engine's own message on a model; empty if the engine opens it. */
function refusalOf(model: Uint8Array): string {
  try {
    openSession(model, 1).release();
    return '';
  } catch (error) {
    return messageOf(error);
  }
}

const identity = [node('Identity', ['X'], ['Y'])];
const custom = (operator: string) =>
  graphOf([node(operator, ['X'], ['Y'])], { opsets: { [operator.split(':')[0] as string]: 1 } });
const weights = (type: onnx.ElementType) => [
  initializer('W', type, [2, 1], type === 'int64' ? [1n, 2n] : [1, 2]),
];
const product = (input: onnx.ElementType, weight: onnx.ElementType) =>
  graphOf([node('MatMul', ['X', 'W'], ['Y'])], { type: input, initializers: weights(weight) });

describe('a refusal of the real engine is followed by advice', () => {
  test.each<[what: string, model: Uint8Array, advice: RegExp]>([
    [
      'an IR version that is too new',
      graphOf(identity, { irVersion: 99 }),
      /IR versions up to \d+: export with a lower opset_version/,
    ],
    [
      'an opset that is too new',
      graphOf(identity, { opset: 99 }),
      /takes opset \d+ of ai\.onnx and lower: .*target_opset/,
    ],
    [
      'an opset of ai.onnx.ml that is too new',
      graphOf(identity, { mlOpset: 99 }),
      /takes opset \d+ of ai\.onnx\.ml and lower/,
    ],
    [
      'an operator of onnxruntime-extensions',
      custom('ai.onnx.contrib:StringRegexReplace'),
      /No custom operators are loaded here, and ai\.onnx\.contrib:StringRegexReplace comes from onnxruntime-extensions/,
    ],
    [
      'another operator of onnxruntime-extensions',
      custom('com.microsoft.extensions:BertTokenizer'),
      /comes from onnxruntime-extensions/,
    ],
    [
      'a custom operator',
      custom('com.example:Foo'),
      /No custom operators are loaded here: export com\.example:Foo as operators/,
    ],
    [
      'an operator of PyTorch',
      custom('org.pytorch.aten:ATen'),
      /without OperatorExportTypes\.ONNX_ATEN_FALLBACK/,
    ],
    [
      'an operator for another device',
      custom('com.microsoft:Nope'),
      /com\.microsoft:Nope is not among the CPU operators/,
    ],
    [
      'a domain that is not imported',
      graphOf([node('com.example:Foo', ['X'], ['Y'])]),
      /without operators of com\.example/,
    ],
    [
      'an operator of a later opset',
      graphOf([node('Gelu', ['X'], ['Y'])], { opset: 17 }),
      /Gelu is no operator of opset 17/,
    ],
    ['float64 and float32', product('float64', 'float32'), /mixes float64 and float32: .*FloatTensorType/],
    ['float32 and float64', product('float32', 'float64'), /mixes float64 and float32/],
    [
      'an output of the other type',
      graphOf([node('Add', ['X', 'X'], ['Y'])], { outputs: [tensorValue('Y', 'float64')] }),
      /mixes float64 and float32/,
    ],
    ['float32 and int64', product('float32', 'int64'), /mixes tensor\(float\) and tensor\(int64\): cast one/],
    [
      'a type that an operator does not support',
      graphOf([node('Sin', ['X'], ['Y'])], { type: 'int32' }),
      /Sin takes no tensor\(int32\): cast/,
    ],
    [
      'a type without a kernel',
      graphOf([node('Add', ['X', 'X'], ['Y'])], { type: 'bfloat16' }),
      /no Add for these types on a CPU: export it in float32/,
    ],
    [
      'a locale that is not installed',
      graphOf(
        [
          node('StringNormalizer', ['X'], ['Y'], {
            locale: string('xx_YY.UTF-8'),
            case_change_action: string('LOWER'),
          }),
        ],
        { inputs: [tensorValue('X', 'string', ['N'])], outputs: [tensorValue('Y', 'string', ['M'])] },
      ),
      /Install the locale xx_YY\.UTF-8 .*localedef -i xx_YY -f UTF-8 xx_YY\.UTF-8.*LOCPATH.*"C"/,
    ],
    [
      'external weights without their file',
      graphOf([node('MatMul', ['X', 'W'], ['Y'])], {
        initializers: [onnx.externalInitializer('W', 'float32', [2, 1], { location: 'w.bin' })],
      }),
      /Put the weights file .* beside the model file/,
    ],
    ['an input that is left out', graphOf([node('Add', ['X', ''], ['Y'])]), /check_model/],
    ['too few inputs', graphOf([node('Add', ['X'], ['Y'])]), /check_model/],
    ['an input that no node produces', graphOf([node('Add', ['X', 'Q'], ['Y'])]), /check_model/],
    [
      'shapes that contradict each other',
      graphOf([node('MatMul', ['X', 'V'], ['Y'])], {
        initializers: [initializer('V', 'float32', [3, 1], [1, 2, 3])],
      }),
      /check_model/,
    ],
    ['an attribute that is missing', graphOf([node('Cast', ['X'], ['Y'])]), /check_model/],
    [
      'an attribute that is unknown',
      graphOf([node('Identity', ['X'], ['Y'], { foo: int(1) })]),
      /check_model/,
    ],
  ])('%s', (_, model, advice) => {
    const refusal = refusalOf(model);
    expect(refusal).not.toBe('');
    expect(adviseOn(refusal)).toMatch(advice);
    expect(withAdvice(refusal)).toBe(`${refusal.replace(/\.$/, '')}. ${adviseOn(refusal)}`);
  });
});

test.each<[what: string, tooNew: onnx.ModelSource, most: RegExp, with_: (most: number) => onnx.ModelSource]>([
  ['IR version', { irVersion: 99 }, /IR versions up to (\d+)/, (irVersion) => ({ irVersion })],
  ['opset', { opset: 99 }, /opset (\d+) of ai\.onnx /, (opset) => ({ opset })],
  ['opset of ai.onnx.ml', { mlOpset: 99 }, /opset (\d+) of ai\.onnx\.ml /, (mlOpset) => ({ mlOpset })],
])('the advice names the highest %s that the engine accepts', (_, tooNew, most, toSource) => {
  const highest = Number(most.exec(adviseOn(refusalOf(graphOf(identity, tooNew))) ?? '')?.[1]);
  expect(highest).toBeGreaterThan(1);
  expect(refusalOf(graphOf(identity, toSource(highest)))).toBe('');
  expect(refusalOf(graphOf(identity, toSource(highest + 1)))).not.toBe('');
});

test('an unknown message gets no advice', () => {
  expect(adviseOn('something else')).toBeUndefined();
  expect(withAdvice('something else')).toBe('something else');
});

describe('advice on a crash', () => {
  test('it names the version of the engine and the operators of the graph', () => {
    const advice = adviseOnCrash('the child ended (SIGSEGV)', new Set(['TopK', 'ai.onnx.ml:Scaler']));
    expect(advice).toContain(`onnxruntime ${engineVersion}, and the graph holds TopK, ai.onnx.ml:Scaler: `);
  });

  test.each([
    'the engine took more than 3000 ms (MODEL_LOAD_TIMEOUT_MS)',
    'the child ended (it took more memory than MAX_MODEL_MEMORY_MB allows)',
  ])('it is empty if a limit of the server ended the child: %s', (how) =>
    expect(adviseOnCrash(how, new Set(['TopK']))).toBe(''),
  );
});
