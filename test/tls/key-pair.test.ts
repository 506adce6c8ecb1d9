import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/errors.js';
import type { FileContent } from '../../src/files/watched-file.js';
import { describeValidity, toKeyPair } from '../../src/tls/key-pair.js';
import { createPair, moveDates, noCertificates } from '../helpers/certificates.js';

const files = { certFile: '/tls.crt', keyFile: '/tls.key' };
const of = (text: string): FileContent => ({ bytes: Buffer.from(text) });
const missing: FileContent = { problem: 'the file is not there' };

function problemsOf(cert: FileContent, key: FileContent): readonly string[] {
  try {
    toKeyPair(cert, key, files);
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
  return [];
}

describe.skipIf(noCertificates)(`a pair for TLS${noCertificates ? `: ${noCertificates}` : ''}`, () => {
  const [one, other] = [createPair('one'), createPair('other')];
  const { cert, key } = one;

  test('is accepted if the key fits the certificate', () => {
    const pair = toKeyPair(of(cert), of(key), files);
    expect(pair.certificate.subject).toBe('CN=one');
    expect(pair.secrets.minVersion).toBe('TLSv1.2');
    expect(describeValidity(pair)).toBe(undefined);
  });

  test('may be in one file, with the chain after the certificate', () => {
    const bundle = of(cert + other.cert + key);
    expect(toKeyPair(bundle, bundle, files).certificate.subject).toBe('CN=one');
  });

  test.each<[string, FileContent, FileContent, string[]]>([
    [
      'missing files',
      missing,
      missing,
      ['TLS_CERT_FILE: /tls.crt: the file is not there', 'TLS_KEY_FILE: /tls.key: the file is not there'],
    ],
    [
      'empty files',
      of(''),
      of(''),
      [
        'TLS_CERT_FILE: /tls.crt holds no certificate as PEM',
        'TLS_KEY_FILE: /tls.key holds no private key as PEM',
      ],
    ],
    [
      'key and certificate swapped',
      of(key),
      of(cert),
      [
        'TLS_CERT_FILE: /tls.crt holds no certificate as PEM',
        'TLS_KEY_FILE: /tls.key holds no private key as PEM',
      ],
    ],
    [
      'a certificate as DER',
      { bytes: Buffer.from(cert.replaceAll(/-----.*-----|\s/g, ''), 'base64') },
      of(key),
      ['TLS_CERT_FILE: /tls.crt holds no certificate as PEM'],
    ],
    ['half a key', of(cert), of(key.slice(0, 100)), ['TLS_KEY_FILE: /tls.key holds no private key as PEM']],
    [
      'a key with a passphrase',
      of(cert),
      of(createPair('secret', ['-passout', 'pass:secret']).key),
      ['TLS_KEY_FILE: /tls.key holds a key with a passphrase: the server needs one without'],
    ],
    [
      'the key of another certificate',
      of(cert),
      of(other.key),
      ['TLS_KEY_FILE: the key in /tls.key does not fit the first certificate in /tls.crt'],
    ],
    [
      'a key of another kind',
      of(cert),
      of(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string),
      ['TLS_KEY_FILE: the key in /tls.key does not fit the first certificate in /tls.crt'],
    ],
    [
      'the chain in the wrong order',
      of(other.cert + cert),
      of(key),
      ['TLS_KEY_FILE: the key in /tls.key does not fit the first certificate in /tls.crt'],
    ],
    [
      'a broken certificate after the first',
      of(`${cert}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`),
      of(key),
      [expect.stringMatching(/^TLS_CERT_FILE: \/tls\.crt cannot be used for TLS \(ERR_\w+\)$/)],
    ],
  ])('is refused: %s', (_what, certContent, keyContent, lines) => {
    expect(problemsOf(certContent, keyContent)).toEqual(lines);
  });

  test('is described as expired or not yet valid by its dates', () => {
    const validity = (from: string, to: string) => {
      const moved = moveDates(one, from, to);
      return describeValidity(toKeyPair(of(moved.cert), of(moved.key), files));
    };
    expect(validity('200101', '210101')).toBe(
      'the certificate has expired: it was valid until Jan  1 00:00:00 2021 GMT',
    );
    expect(validity('480101', '490101')).toBe('the certificate is not valid before Jan  1 00:00:00 2048 GMT');
  });
});
