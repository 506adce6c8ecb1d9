import { request as requestHttp } from 'node:http';
import { type RequestOptions, request as requestHttps } from 'node:https';
import type { TLSSocket } from 'node:tls';

export interface SecureReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The common name of the certificate that the server showed; undefined over plain HTTP. */
  readonly shownBy: string | undefined;
}

/**
 * Sends a request over a new connection, or over that of `agent`: a POST if there is a body. Trusts `ca`; without it,
 * any certificate.
 */
export function askHttps(
  url: string,
  { body, ...options }: RequestOptions & { readonly body?: unknown } = {},
): Promise<SecureReply> {
  const isSecure = url.startsWith('https:');
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asked = (isSecure ? requestHttps : requestHttp)(url, {
      method: text === undefined ? 'GET' : 'POST',
      rejectUnauthorized: options.ca !== undefined,
      agent: false,
      ...options,
      headers: { ...(text !== undefined && { 'content-type': 'application/json' }), ...options.headers },
    });
    asked.on('error', reject);
    asked.on('response', (response) => {
      // Read now: after the socket has closed, its certificate is gone.
      const shownBy = isSecure ? (response.socket as TLSSocket).getPeerCertificate().subject?.CN : undefined;
      const chunks: Buffer[] = [];
      response.on('error', reject);
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
          shownBy: shownBy === undefined ? undefined : String(shownBy),
        }),
      );
    });
    asked.end(text);
  });
}
