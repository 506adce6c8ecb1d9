/** Words of other languages, in lower case, and the JSON word for each. */
const words: Readonly<Record<string, string>> = {
  nan: 'null',
  inf: 'null',
  infinity: 'null',
  none: 'null',
  null: 'null',
  nil: 'null',
  undefined: 'null',
  true: 'true',
  false: 'false',
};
const space = /[ \t\n\r]*/y;
const bareWord = /[^\s,:[\]{}"'/#]+/y;
const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const escapeForm = /\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})/y;
const firstControl = 0x20;
const endsEarly = 'The body ends early: send the whole of it.';
/** Scanning this many characters takes at most 10 ms. 8 MB of numbers would take 600 ms. */
const maxExplained = 131_072;

const otherFormats: readonly (readonly [RegExp, string])[] = [
  [/^\uFEFF/, 'The body begins with a byte order mark (BOM): send UTF-8 without it.'],
  [/^.?\0/s, 'The body has bytes of zero, as UTF-16 has: send UTF-8.'],
  [/^\s*\[object /, 'The body is a printed object: send it as JSON, such as by JSON.stringify.'],
  [/^\s*</, 'The body is HTML or XML: send JSON.'],
  [/^\s*[bu]['"]/, 'The body is a printed text of Python: send the text itself.'],
  [/^\s*@/, 'The body is the name of a file: send what the file holds.'],
  [/^\s*[\w%.+-]{1,256}=/, 'The body is a form: send JSON.'],
];

type Expected = 'value' | 'first value' | 'name' | 'first name' | 'colon' | 'separator' | 'end';

/**
 * Describes the first fault of a text that is not JSON, in one sentence with its fix. The sentence repeats only known
 * words of the text. `found` is the parser's message, for a fault behind the characters that are scanned here.
 */
export function explainJsonFault(whole: string, found = ''): string {
  if (whole.trim() === '') return 'The body is empty: send JSON.';
  if (whole.length <= maxExplained) return explain(whole) ?? endsEarly;
  if (/^(Unexpected end|Unterminated)/.test(found)) return endsEarly;
  return explain(whole.slice(0, maxExplained)) ?? `There is a fault behind character ${maxExplained}.`;
}

/** The first fault of a text; undefined if the text has none up to its end. */
function explain(text: string): string | undefined {
  for (const [form, sentence] of otherFormats) if (form.test(text)) return sentence;
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  let at = 0;
  const afterValue = (): Expected => (open.length === 0 ? 'end' : 'separator');
  for (;;) {
    at = skip(space, text, at);
    if (at >= text.length) return undefined;
    const here = text[at] as string;
    const place = `at character ${at}`;
    const isValue = expected === 'value' || expected === 'first value';
    const isName = expected === 'name' || expected === 'first name';
    if (here === '/' || here === '#') return `There is a comment ${place}: JSON has none, so remove it.`;
    if (expected === 'end') {
      return `The body has more than one JSON document, the next ${place}: send one row a request, or a row a line to /predict/batch.`;
    }
    if (here === "'")
      return `There is a single quote ${place}: JSON has double quotes around each text and name.`;
    if (/[`“”‘’„«»]/.test(here))
      return `There is a quotation mark ${place} that JSON does not have: write ".`;
    if (here === '"') {
      if (!isValue && !isName) return `A ${expected === 'colon' ? 'colon' : 'comma'} is missing ${place}.`;
      const end = scanText(text, at);
      if (typeof end !== 'number') return end;
      at = end;
      if (isName) expected = 'colon';
      else expected = afterValue();
    } else if ((here === '{' || here === '[') && isValue) {
      open.push(here);
      expected = here === '{' ? 'first name' : 'first value';
      at += 1;
    } else if (here === '}' || here === ']') {
      const isOfObject = here === '}';
      if (open.at(-1) !== (isOfObject ? '{' : '[')) return `There is a "${here}" too many ${place}.`;
      if (expected === 'name' || expected === 'value') {
        return open.length > 0 && expected === (isOfObject ? 'name' : 'value')
          ? `There is a comma too many before character ${at}: remove it.`
          : `A value is missing ${place}.`;
      }
      if (expected === 'colon') return `A colon is missing ${place}.`;
      open.pop();
      expected = afterValue();
      at += 1;
    } else if (here === ':' && expected === 'colon') {
      expected = 'value';
      at += 1;
    } else if (here === ',' && expected === 'separator') {
      expected = open.at(-1) === '{' ? 'name' : 'value';
      at += 1;
    } else if (isName) {
      return `There is no name in double quotes ${place}.`;
    } else if (expected === 'colon' || expected === 'separator') {
      return `A ${expected === 'colon' ? 'colon' : 'comma'} is missing ${place}.`;
    } else {
      const end = skip(bareWord, text, at);
      const fault = end === at ? `A value is missing ${place}.` : explainWord(text.slice(at, end), place);
      if (fault !== undefined) return fault;
      at = end;
      expected = afterValue();
    }
  }
}

/** Undefined if the word or number is JSON. */
function explainWord(word: string, place: string): string | undefined {
  if (word === 'true' || word === 'false' || word === 'null' || number.test(word)) return undefined;
  const meant = words[word.replace(/^[+-]/, '').toLowerCase()];
  if (meant !== undefined) return `${word} is not JSON: send ${meant}. It is ${place}.`;
  return /^[+-]?\.?\d/.test(word)
    ? `The number ${place} is not JSON: write it without a plus or zeros in front, with digits on both sides of a point.`
    : `There is no value of JSON ${place}: a text stands in double quotes.`;
}

/** The index after the string that begins at `start`, or the fault in it; undefined if the string does not end. */
function scanText(text: string, start: number): number | string | undefined {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code < firstControl) {
      return `A text has a line break or another control character at character ${at}: write it as \\n or \\u00XX.`;
    }
    if (code !== 0x5c) continue;
    const end = skip(escapeForm, text, at);
    if (end === at && at + 1 < text.length) {
      return `A text has a backslash at character ${at} that begins no escape of JSON: write \\\\ for one.`;
    }
    at = Math.max(at, end - 1);
  }
  return undefined;
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
