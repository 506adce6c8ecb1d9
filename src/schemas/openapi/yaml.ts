import type { Steps } from '../../time/slices.js';
import { stepDepth } from './json.js';

/**
 * A JSON value as YAML 1.2 in block style. Every text is in double quotes, which YAML reads as JSON does, so that none
 * is read as a number or a date. Others get the thread between two parts. The package `yaml` takes seven times as long.
 */
export function* toYaml(value: unknown): Steps<string> {
  return `${(yield* write(value, '', stepDepth)).trimStart()}\n`;
}

/** Writes what follows a key or a dash: a value on the same line, or a block on the next line. */
function* write(value: unknown, indent: string, depth: number): Steps<string> {
  if (depth === 0 || typeof value !== 'object' || value === null) {
    yield;
    return writeAtOnce(value, indent);
  }
  const parts: string[] = [];
  for (const [start, member] of listMembers(value, indent))
    parts.push(start, yield* write(member, `${indent}  `, depth - 1));
  return parts.length === 0 ? writeEmpty(value) : parts.join('');
}

function writeAtOnce(value: unknown, indent: string): string {
  if (typeof value !== 'object' || value === null) return ` ${writeScalar(value)}`;
  const parts = listMembers(value, indent).map(
    ([start, member]) => start + writeAtOnce(member, `${indent}  `),
  );
  return parts.length === 0 ? writeEmpty(value) : parts.join('');
}

/** The members of an object or an array, each after the start of its line. */
function listMembers(value: object, indent: string): readonly (readonly [start: string, member: unknown])[] {
  if (Array.isArray(value)) return value.map((item) => [`\n${indent}-`, item]);
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => [`\n${indent}${writeKey(key)}:`, member]);
}

function writeEmpty(value: object): string {
  return Array.isArray(value) ? ' []' : ' {}';
}

function writeKey(key: string): string {
  return /^[A-Za-z/$][\w/{}$.-]*$/.test(key) && !/^(true|false|null|yes|no|on|off|[yn])$/i.test(key)
    ? key
    : writeScalar(key);
}

/** Escapes the characters that JSON allows and YAML calls unprintable, such as DEL, C1 and U+2028. */
function writeScalar(value: unknown): string {
  return (JSON.stringify(value) ?? 'null').replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
