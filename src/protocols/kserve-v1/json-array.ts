import { setImmediate as nextTurn } from 'node:timers/promises';

/** Characters that are scanned in one turn of the loop: 1 to 2 ms. */
const perTurn = 262_144;

/**
 * Splits the JSON array that begins at `start` into the texts of its elements. `end` is the index after the array.
 * Undefined if no array begins there. The text must be valid JSON of this server.
 */
export async function splitArray(
  text: string,
  start: number,
): Promise<{ readonly elements: readonly string[]; readonly end: number } | undefined> {
  if (text[start] !== '[') return undefined;
  const elements: string[] = [];
  let depth = 0;
  let from = start + 1;
  let pauseAt = start + perTurn;
  for (let at = start; ; at += 1) {
    // Not at equal places: a text is passed in one step.
    if (at >= pauseAt) {
      pauseAt = at + perTurn;
      await nextTurn();
    }
    const character = text[at];
    if (character === '"') at = endOfText(text, at);
    else if (character === '[') depth += 1;
    else if (character === ']') {
      depth -= 1;
      if (depth > 0) continue;
      if (at > from) elements.push(text.slice(from, at));
      return { elements, end: at + 1 };
    } else if (character === ',' && depth === 1) {
      elements.push(text.slice(from, at));
      from = at + 1;
    }
  }
}

/** The index of the closing quote of a string: the first quote after an even number of backslashes. */
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
}
