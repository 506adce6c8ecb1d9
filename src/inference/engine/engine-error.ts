import { messageOf } from '../../errors.js';

/**
 * What the engine threw, in words that may be read by those who ask why a version is refused: without places in
 * the engine's sources and without folders of this machine. The engine's own error is the cause, for the log.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/** A file may give a node a name of any length, and what looks through a message must not take long with it. */
const maxWord = 200;
const maxMessage = 4_000;

/** `folder` is where the engine was told to look for files. */
export function toEngineError(cause: unknown, folder?: string): EngineError {
  const text = shorten(messageOf(cause));
  const known = folder === undefined ? text : text.replaceAll(`${folder}/`, '').replaceAll(folder, '.');
  return new EngineError(withoutSources(known).replace(/\s+/g, ' ').trim(), { cause });
}

/**
 * What the engine threw in a run. It may quote the input (`idx=4711 must be within …`), which may be personal and would
 * get into the log: numbers and quoted texts are hidden, and there is no cause. Shapes and ranges, in brackets, stay.
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

/** `/…/model.cc:202 void ns::Name(args) const Text` → `Text`, wherever it stands (onnxruntime 1.30). */
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

/** A name alone, as `__func__` has it, or a whole signature, whose brackets close again. */
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
