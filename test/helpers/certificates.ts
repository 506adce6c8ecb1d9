import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A self-signed certificate for 127.0.0.1, ::1 and localhost, and its key, both as PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** Why certificates cannot be created on this machine; undefined if they can. */
export const noCertificates =
  spawnSync('openssl', ['version']).status === 0 ? undefined : 'needs openssl in the PATH';

/** Creates a pair with openssl. `more` are further arguments of `openssl req`. */
export function createPair(name: string, more: readonly string[] = []): Pair {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-pair-'));
  try {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const { status, stderr } = spawnSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
        ...['-keyout', key, '-out', cert, '-days', '30', '-subj', `/CN=${name}`],
        ...['-addext', 'subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost'],
        ...(more.includes('-passout') ? more : ['-nodes', ...more]),
      ],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(stderr);
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A root, the certificate of an intermediate authority, and a pair that this one has signed. */
export function createChain(name: string): {
  readonly root: string;
  readonly between: string;
  readonly pair: Pair;
} {
  const root = createPair(`${name}-root`);
  const between = createSigned(`${name}-between`, root);
  return { root: root.cert, between: between.cert, pair: createSigned(name, between) };
}

function createSigned(name: string, by: Pair): Pair {
  using files = new PairFolder(by);
  return createPair(name, ['-CA', files.certFile, '-CAkey', files.keyFile]);
}

/**
 * The certificate with other dates, since `openssl req` cannot create an expired one. Its signature is invalid then,
 * which only clients check.
 */
export function moveDates({ cert, key }: Pair, from: string, to: string): Pair {
  const der = Buffer.from(cert.replaceAll(/-----.*-----|\s/g, ''), 'base64');
  // Two times in UTC, one after the other: tag 0x17 and their length, YYMMDDhhmmssZ.
  const first = der.indexOf(Buffer.from([0x17, 0x0d]));
  der.write(`${from}000000Z`, first + 2, 'latin1');
  der.write(`${to}000000Z`, first + 17, 'latin1');
  const lines = der.toString('base64').replaceAll(/(.{64})/g, '$1\n');
  return { cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`, key };
}

/** A pair on disk, and the environment of a server that uses it. */
export class PairFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'sardonyx-tls-'));
  readonly certFile = join(this.path, 'tls.crt');
  readonly keyFile = join(this.path, 'tls.key');
  readonly environment = { TLS_CERT_FILE: this.certFile, TLS_KEY_FILE: this.keyFile };

  constructor(pair?: Pair) {
    if (pair !== undefined) this.write(pair);
  }

  write({ cert, key }: Pair): void {
    writeFileSync(this.certFile, cert);
    writeFileSync(this.keyFile, key);
  }

  /** Replaces a file by a link, as Kubernetes does in mounted volumes. */
  link(file: string, target: string): void {
    unlinkSync(file);
    symlinkSync(target, file);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}
