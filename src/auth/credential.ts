/** What of a request's headers may name a key. */
export interface CredentialHeaders {
  readonly 'x-api-key'?: string | string[] | undefined;
  readonly authorization?: string | undefined;
}

/** The characters of RFC 6750's b64token; keys of other makes may have any of them. */
const keyForm = /^[A-Za-z0-9._~+/-]{1,256}=*$/;
const bearer = /^bearer +/i;

/** Stands for headers that name more than one key: no key is like it. */
const contradiction = ' ';

/** Whether a text may be a key at all. */
export function isWellFormed(text: string): boolean {
  return keyForm.test(text);
}

/**
 * The text that a request presents as its key, in `X-API-Key` or as `Authorization: Bearer`; undefined where there is
 * none. Where the headers name two different keys, or one header is there twice, it is one that no key is like: which
 * of them was meant, a proxy in front may have read in another way. `rawHeaders` is Node's list of names and values.
 */
export function readCredential(
  headers: CredentialHeaders,
  rawHeaders: readonly string[],
): string | undefined {
  // Node joins two of them by a comma and a space, which is in no key.
  const plain = headers['x-api-key'];
  const { authorization } = headers;
  if (authorization === undefined) return typeof plain === 'string' ? plain : undefined;
  // Of two of these Node shows the first alone.
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
