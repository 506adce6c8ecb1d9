import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { addEnvFile } from './config/env-file.js';
import { readConfig } from './config/read-config.js';
import { messageOf } from './errors.js';

/**
 * Asks the server of the same settings on this machine whether it lives, for `HEALTHCHECK` of an image without curl.
 * With `ready` as its argument it asks whether the server may get traffic. Ends with 0 for yes and 1 for no, and writes
 * one line, which `docker inspect` shows.
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
  // The certificate is for the name that clients use, and this is the machine itself.
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
