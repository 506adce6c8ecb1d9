import { describe, expect, test } from 'vitest';
import { hideKeys } from '../../src/text/describe-value.js';

const key = 'sdx_4fT9-kQ_x1Z';
const encode = (text: string) => text.replace(/./g, (it) => `%${it.charCodeAt(0).toString(16)}`);
const encodeMarks = (text: string) => text.replaceAll('%', '%25');

describe('a key in a text', () => {
  test.each([
    ['as it is', key],
    ['its first letter encoded', key.replace('s', '%73')],
    ['a letter behind its prefix encoded', key.replace('4', '%34')],
    ['all of it encoded', encode(key)],
    ['all of it encoded in capitals', encode(key).toUpperCase()],
    ['encoded twice', encodeMarks(encode(key))],
    ['encoded six times', [1, 2, 3, 4, 5].reduce(encodeMarks, encode(key))],
    ['encoded twice, every character', encode(encode(key))],
    [
      'encoded more often than hideKeys decodes',
      [...'123456789'].reduce((it) => encode(it), key.slice(0, 6)),
    ],
  ])('is hidden: %s', (_how, text) => {
    const hidden = hideKeys(`/models/${text}/predict`);
    // A reader of the log may decode it any number of times.
    let plain = hidden;
    for (let k = 0; k < 20; k += 1)
      plain = plain.replace(/%([0-9a-f]{2})/gi, (_all, it) => String.fromCharCode(Number.parseInt(it, 16)));
    expect(plain).not.toContain('4fT9');
    expect(plain).not.toContain('4F');
    expect(hidden).toContain('…');
  });

  test.each(['/models/caf%C3%A9/predict', '/100%', '/%zz%', '/a%2525b', 'plain'])(
    'is not found in %s',
    (text) => {
      expect(hideKeys(text)).toBe(text);
    },
  );

  test('is hidden alone: the rest of the text stays', () => {
    expect(hideKeys(`/models/${key}/predict`)).toBe('/models/sdx_…/predict');
    expect(hideKeys('/models/%73dx_abc/predict')).toBe('/models/sdx_…/predict');
  });

  test('is searched for within 100 ms in long texts with many percent signs', () => {
    const started = process.cpuUsage();
    hideKeys(`/${'%25'.repeat(5_000)}`);
    hideKeys(`/${'%2525'.repeat(3_000)}73`);
    hideKeys(`/${'%'.repeat(16_000)}`);
    expect(process.cpuUsage(started).user / 1_000).toBeLessThan(100);
  });
});
