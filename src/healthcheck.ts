import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { addEnvFile } from './config/env-file.js';
import { readConfig } from './config/read-config.js';
import { messageOf } from './errors.js';

/**
 * The `HEALTHCHECK` of the image, which has no curl. Requests `/health/live` of the server with the same settings on
 * this machine, or `/health/ready` with the argument `ready`. Exits with 0 for a 200, else with 1, and writes one line
 * that `docker inspect` shows.
 */
try {
  addEnvFile(process.env);
  const { HOST, PORT, TLS_CERT_FILE } = readConfig(process.env);
  const path = process.argv[2] === 'ready' ? '/health/ready' : '/health/live';
  const host = new Map([
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
  ]).get(HOST);
  const options = { host: host ?? HOST, port: PORT, path, timeout: 4_000 };
  // The certificate names the host that clients use, not this local address.
  const request =
    TLS_CERT_FILE === undefined
      ? requestHttp(options)
      : requestHttps({ ...options, rejectUnauthorized: false });
  request.on('timeout', () => request.destroy(new Error('no answer within 4 s')));
  request.on('error', (error) => end(1, `${path}: ${messageOf(error)}`));
  request.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (piece) => {
      text += piece;
    });
    response.on('end', () => end(response.statusCode === 200 ? 0 : 1, `${response.statusCode} ${text}`));
  });
  request.end();
} catch (error) {
  end(1, messageOf(error));
}

function end(code: number, line: string): void {
  process.stdout.write(`${line}\n`);
  process.exitCode = code;
}
