/** One preference of a list, with its parameters: a comma or semicolon in a quoted text parts nothing. */
const preference = /(?:[^,"]|"(?:[^"\\]|\\.)*")+/g;
const wait = /^\s*wait\s*=\s*"?(\d+)"?\s*(?:;|$)/i;

/** The seconds of `Prefer: wait=N` (RFC 7240, 4.3); undefined if the client does not say. The first one counts. */
export function readWait(header: string | readonly string[] | undefined): number | undefined {
  for (const [text] of String(header ?? '').matchAll(preference)) {
    const seconds = wait.exec(text)?.[1];
    if (seconds !== undefined) return Number(seconds);
  }
  return undefined;
}
