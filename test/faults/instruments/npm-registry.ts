import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface RegistryPackage {
  readonly name: string;
  readonly version: string;
  /** The digest that the registry publishes for the tarball. */
  readonly integrity: string;
  /** The bytes that it sends. */
  readonly tarball: Uint8Array;
}

export interface NpmRegistry extends AsyncDisposable {
  readonly url: string;
  /** Requests so far: `GET /name`, `POST /-/npm/v1/security/advisories/bulk`. */
  readonly requests: readonly string[];
}

/**
 * Starts a fake npm registry on a free port of 127.0.0.1. It serves packages, their tarballs, and the advisories that
 * `npm audit` asks for, by package name.
 */
export async function startNpmRegistry(
  packages: readonly RegistryPackage[],
  advisories: Readonly<Record<string, unknown>> = {},
): Promise<NpmRegistry> {
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const answer = (value: unknown) => response.end(JSON.stringify(value));
    response.setHeader('content-type', 'application/json');
    if (request.url === '/-/npm/v1/security/advisories/bulk') {
      const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      const asked = Object.keys(JSON.parse(text.toString('utf8')));
      answer(Object.fromEntries(Object.entries(advisories).filter(([name]) => asked.includes(name))));
      return;
    }
    const path = decodeURIComponent(request.url ?? '').slice(1);
    const found = packages.find(({ name }) => path === name || path === `${name}.tgz`);
    if (found === undefined) {
      response.statusCode = 404;
      answer({ error: 'not found' });
    } else if (path.endsWith('.tgz')) {
      response.setHeader('content-type', 'application/octet-stream');
      response.end(found.tarball);
    } else {
      const { name, version, integrity } = found;
      const dist = { tarball: `${url}/${name}.tgz`, integrity };
      answer({ name, 'dist-tags': { latest: version }, versions: { [version]: { name, version, dist } } });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
