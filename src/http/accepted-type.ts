/**
 * The type of an answer that the header `accept` prefers (RFC 9110, section 12.5.1). Of types with one quality, one
 * that the header names wins over one that a wildcard covers, then the first of `types`. It is also the answer if the
 * header accepts none of them. Parameters of a range other than `q` do not count.
 */
export function chooseType<T extends string>(accept: string | undefined, types: readonly [T, ...T[]]): T {
  const qualities = readQualities(accept ?? '');
  let best = types[0];
  let [bestQuality, bestPrecision] = [0, 0];
  for (const type of types) {
    // The most precise range decides on a type.
    const names = [type, `${type.slice(0, type.indexOf('/'))}/*`, '*/*'];
    const place = names.findIndex((name) => qualities.has(name));
    const quality = qualities.get(names[place] ?? type) ?? 0;
    const precision = -place;
    if (quality > bestQuality || (quality > 0 && quality === bestQuality && precision > bestPrecision))
      [best, bestQuality, bestPrecision] = [type, quality, precision];
  }
  return best;
}

/** The quality of each range. */
function readQualities(accept: string): ReadonlyMap<string, number> {
  const qualities = new Map<string, number>();
  for (const range of accept.split(',')) {
    const [name = '', ...parameters] = range.split(';').map((it) => it.trim().toLowerCase());
    const weight = Number(parameters.find((it) => it.startsWith('q='))?.slice(2) ?? 1);
    qualities.set(name, weight >= 0 && weight <= 1 ? weight : 0);
  }
  return qualities;
}
