export interface CredentialHeaders {
  readonly 'x-api-key'?: string | string[] | undefined;
  readonly authorization?: string | undefined;
}

/** b64token of RFC 6750, since keys may come from other tools than `sardonyx keys`. */
const keyForm = /^[A-Za-z0-9._~+/-]{1,256}=*$/;
const bearer = /^bearer +/i;

/** The credential of contradictory headers: not well-formed, so it never matches a key. */
const contradiction = ' ';

export function isWellFormed(text: string): boolean {
  return keyForm.test(text);
}

/**
 * Returns the text in `X-API-Key` or `Authorization: Bearer`; undefined if neither is present. For two different keys
 * or a repeated header it returns a text that never matches, since a proxy in front may have picked the other one.
 * `rawHeaders` is Node's list of names and values.
 */
export function readCredential(
  headers: CredentialHeaders,
  rawHeaders: readonly string[],
): string | undefined {
  // Node joins repeated X-API-Key headers with ", ", and no key contains a comma.
  const plain = headers['x-api-key'];
  const { authorization } = headers;
  if (authorization === undefined) return typeof plain === 'string' ? plain : undefined;
  // Node keeps only the first of repeated Authorization headers.
  if (isTwice(rawHeaders)) return contradiction;
  const scheme = bearer.exec(authorization)?.[0];
  if (scheme === undefined) return typeof plain === 'string' ? plain : undefined;
  const token = authorization.slice(scheme.length);
  return plain === undefined || plain === token ? token : contradiction;
}

function isTwice(rawHeaders: readonly string[]): boolean {
  let count = 0;
  for (let k = 0; k < rawHeaders.length; k += 2) {
    const name = rawHeaders[k] as string;
    if (name.length === 13 && name.toLowerCase() === 'authorization') count += 1;
  }
  return count > 1;
}
