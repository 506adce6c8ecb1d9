const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const word = /true|false|null/y;
const space = /[ \t\n\r]*/y;

/** Whether a text is JSON by the grammar of RFC 8259 without duplicate names in any object. */
export function isStrictJson(text: string): boolean {
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const takeMark = (mark: string): boolean => {
    take(space);
    const isThere = text.startsWith(mark, at);
    if (isThere) at += mark.length;
    take(space);
    return isThere;
  };
  const list = (end: string, item: () => boolean): boolean => {
    if (takeMark(end)) return true;
    do if (!item()) return false;
    while (takeMark(','));
    return takeMark(end);
  };
  const value = (): boolean => {
    if (takeMark('[')) return list(']', value);
    if (takeMark('{')) {
      const names = new Set<string>();
      return list('}', () => {
        const name = take(string);
        if (name === undefined || names.has(name)) return false;
        names.add(name);
        return takeMark(':') && value();
      });
    }
    return (take(string) ?? take(number) ?? take(word)) !== undefined;
  };
  take(space);
  const isValue = value();
  take(space);
  return isValue && at === text.length;
}
