import { messageOf } from '../../errors.js';

/**
 * An error of the engine, with a message that clients may read as the reason of a refusal: it names no places in the
 * engine's sources and no folders of this machine. The engine's own error is the cause, for the log.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/** A node's name may have any length, and the patterns below must match a message quickly. */
const maxWord = 200;
const maxMessage = 4_000;

/** `folder` is the folder in which the engine looked for files. The message then names paths relative to it. */
export function toEngineError(cause: unknown, folder?: string): EngineError {
  const text = shorten(messageOf(cause));
  const known = folder === undefined ? text : text.replaceAll(`${folder}/`, '').replaceAll(folder, '.');
  return new EngineError(withoutSources(known).replace(/\s+/g, ' ').trim(), { cause });
}

/**
 * An error of a run. The engine may quote the input (`idx=4711 must be within …`), which may be personal data and must
 * not reach the log: numbers and quoted texts are hidden, and there is no cause. Shapes and ranges, in brackets, stay.
 */
export function toRunError(cause: unknown): EngineError {
  const [place = '', ...status] = toEngineError(cause).message.split('Status Message:');
  const text =
    status.length === 0 ? hideValues(place) : [place, ...status.map(hideValues)].join('Status Message:');
  return new EngineError(text);
}

function shorten(text: string): string {
  const words = text.replace(/\S+/g, (word) => (word.length > maxWord ? `${word.slice(0, maxWord)}…` : word));
  return words.length > maxMessage ? `${words.slice(0, maxMessage)}…` : words;
}

function hideValues(text: string): string {
  return text.replace(
    /(\[[^\]]*\]|\{[^}]*\})|'[^']*'|"[^"]*"|[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?/gi,
    (value, shape?: string) => shape ?? (/^['"]/.test(value) ? "'…'" : '…'),
  );
}

/** `/…/model.cc:202 void ns::Name(args) const Text` → `Text`, anywhere in the message (onnxruntime 1.30). */
function withoutSources(text: string): string {
  const place = /(?:\/onnxruntime_src\/)?[\w./+-]*\.(?:cc|cpp|cu|h|hpp):\d+ /g;
  let rest = '';
  let at = 0;
  for (let found = place.exec(text); found !== null; found = place.exec(text)) {
    rest += text.slice(at, found.index);
    at = place.lastIndex + signatureLength(text.slice(place.lastIndex));
    place.lastIndex = at;
  }
  return (rest + text.slice(at)).replaceAll(/\/onnxruntime_src\/\S*/g, '');
}

/** Length of a bare name, as in `__func__`, or of a whole signature with balanced brackets. */
function signatureLength(text: string): number {
  const name = /^[A-Za-z_]\w* /.exec(text);
  const open = text.indexOf('(');
  const isSignature = open > 0 && text.slice(0, open).includes('::');
  if (!isSignature) return name?.[0].length ?? 0;
  let depth = 0;
  for (let i = open; i < text.length; i += 1) {
    if (text[i] === '(') depth += 1;
    if (text[i] === ')') depth -= 1;
    if (depth > 0) continue;
    const tail = /^\)(?:::<lambda\([^()]*\)>|::operator\(\)\([^()]*\)| const| \[with [^\]]*\])*\s*/.exec(
      text.slice(i),
    );
    return i + (tail?.[0].length ?? 1);
  }
  return 0;
}
