const wait = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?=[,;]|$)/i;

/** The seconds of `Prefer: wait=N` (RFC 7240, 4.3); undefined if the client does not say. */
export function readWait(header: string | readonly string[] | undefined): number | undefined {
  const found = header === undefined ? null : wait.exec(String(header));
  return found === null ? undefined : Number(found[1]);
}
