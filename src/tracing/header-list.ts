/**
 * Reads `OTEL_EXPORTER_OTLP_HEADERS`: `name=value` pairs with commas between, percent-encoded as W3C Baggage is.
 * Undefined for a text of another form.
 */
export function readHeaderList(text: string): Readonly<Record<string, string>> | undefined {
  const headers: Record<string, string> = {};
  for (const pair of text.split(',')) {
    const [, name, encoded] = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (name === undefined || encoded === undefined) return undefined;
    try {
      const value = decodeURIComponent(encoded);
      if (!/^[\x20-\x7e]*$/.test(value)) return undefined;
      headers[name.toLowerCase()] = value;
    } catch {
      return undefined;
    }
  }
  return headers;
}
