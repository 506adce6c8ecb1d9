import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ConfigError, messageOf } from '../errors.js';
import type { FileContent } from '../files/watched-file.js';

/** A certificate and the private key that fits it. */
export interface KeyPair {
  /** The first certificate in the file, which is the server's own. */
  readonly certificate: X509Certificate;
  readonly secrets: SecureContextOptions & { readonly cert: Buffer; readonly key: Buffer };
}

export interface PairFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Overrides options that Node was started with. */
const minVersion = 'TLSv1.2' as const;

/**
 * Checks that the two files hold a pair that TLS can use. Throws `ConfigError` with one line for each problem. It
 * accepts an expired certificate: see `describeValidity`.
 */
export function toKeyPair(cert: FileContent, key: FileContent, { certFile, keyFile }: PairFiles): KeyPair {
  const lines: string[] = [];
  const read = <T>(variable: string, path: string, content: FileContent, parse: (bytes: Buffer) => T) => {
    try {
      if (content.bytes !== undefined) return parse(Buffer.from(content.bytes));
      lines.push(`${variable}: ${path}: ${content.problem}`);
    } catch (error) {
      lines.push(`${variable}: ${path} ${messageOf(error)}`);
    }
    return undefined;
  };
  const certificate = read('TLS_CERT_FILE', certFile, cert, toCertificate);
  const privateKey = read('TLS_KEY_FILE', keyFile, key, toPrivateKey);
  if (certificate === undefined || privateKey === undefined) throw new ConfigError(lines);
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new ConfigError([
      `TLS_KEY_FILE: the key in ${keyFile} does not fit the first certificate in ${certFile}`,
    ]);
  }
  const secrets = {
    cert: Buffer.from(cert.bytes ?? []),
    key: Buffer.from(key.bytes ?? []),
    minVersion,
    // Clients present no certificate, so the root certificates are not needed. Node would read them in 20 ms.
    ca: [],
  } satisfies SecureContextOptions;
  try {
    createSecureContext(secrets);
  } catch (error) {
    // For example, the key is too short, or a certificate after the first is broken.
    throw new ConfigError([
      `TLS_CERT_FILE: ${certFile} cannot be used for TLS (${error instanceof Error && 'code' in error ? error.code : 'unknown'})`,
    ]);
  }
  return { certificate, secrets };
}

/** Whether the files had the same bytes: a chain may change under one certificate. */
export function isSamePair({ secrets: a }: KeyPair, { secrets: b }: KeyPair): boolean {
  return a.cert.equals(b.cert) && a.key.equals(b.key);
}

/** Why clients will reject the certificate now; undefined if its dates are valid. */
export function describeValidity({ certificate }: KeyPair, now = Date.now()): string | undefined {
  const { validFrom, validTo } = certificate;
  if (now > Date.parse(validTo)) return `the certificate has expired: it was valid until ${validTo}`;
  if (now < Date.parse(validFrom)) return `the certificate is not valid before ${validFrom}`;
  return undefined;
}

/** Accepts PEM only, as TLS does. `X509Certificate` would also accept DER. */
function toCertificate(bytes: Buffer): X509Certificate {
  try {
    if (bytes.includes('-----BEGIN')) return new X509Certificate(bytes);
  } catch {
    // OpenSSL's message does not help an operator.
  }
  throw new Error('holds no certificate as PEM');
}

function toPrivateKey(bytes: Buffer): KeyObject {
  if (bytes.includes('ENCRYPTED')) {
    throw new Error('holds a key with a passphrase: the server needs one without');
  }
  try {
    return createPrivateKey(bytes);
  } catch {
    throw new Error('holds no private key as PEM');
  }
}
