import { expect, test } from 'vitest';
import { explainJsonFault } from '../../src/text/json-fault.js';
import { createRandom } from '../helpers/onnx/random.js';

const sound = '{"a":[1,-2.5e3,true,null,{"b":"c\\n\\u00e9"}],"d":{},"e":[],"f":"g"}';
const pieces = [...'{}[],:"\'\\+-.0e# /\n\u00a0', 'NaN', 'true', '\\x', '""', '{}'];

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('each text that is not JSON gets one sentence, and fewer than half of the cut ones "ends early"', () => {
  const random = createRandom(11);
  const pick = (below: number) => Math.floor(random() * below);
  let tried = 0;
  let cut = 0;
  for (let n = 0; n < 20_000; n += 1) {
    const at = pick(sound.length);
    const piece = random() < 0.5 ? '' : (pieces[pick(pieces.length)] as string);
    const text = sound.slice(0, at) + piece + sound.slice(at + pick(3));
    if (isJson(text)) continue;
    tried += 1;
    const sentence = explainJsonFault(text);
    expect(sentence, text).toMatch(/^[^\n]{10,160}[.]$/);
    if (piece === '' && at + 3 < sound.length && /ends early/.test(sentence)) cut += 1;
  }
  expect(tried).toBeGreaterThan(5_000);
  // Without its closing quote or bracket, a text does end early.
  expect(cut / tried).toBeLessThan(0.5);
});

test.each([
  ['numbers', `[${'1,'.repeat(4_000_000)}NaN]`, 'There is a fault behind character 131072.'],
  ['objects', `[${'{"x":1.5},'.repeat(600_000)}NaN]`, 'There is a fault behind character 131072.'],
  ['a text that does not end', `["${'x'.repeat(8_000_000)}`, 'The body ends early: send the whole of it.'],
  ['a word', 'x'.repeat(8_000_000), /^There is no value of JSON/],
  ['spaces', `${' '.repeat(8_000_000)}x`, 'There is a fault behind character 131072.'],
])('a fault in 8 MB of %s is explained in less than 100 ms', (_, text, expected) => {
  let message = '';
  try {
    JSON.parse(text);
  } catch (error) {
    ({ message } = error as SyntaxError);
  }
  const started = process.cpuUsage();
  const sentence = explainJsonFault(text, message);
  expect(process.cpuUsage(started).user / 1_000).toBeLessThan(100);
  if (typeof expected === 'string') expect(sentence).toBe(expected);
  else expect(sentence).toMatch(expected);
});
