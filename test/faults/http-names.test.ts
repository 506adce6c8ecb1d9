import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { rawPost, sendRaw } from './instruments/raw-http.js';

const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const problemType = 'application/problem+json; charset=utf-8';

const strangeNames = [
  '..',
  '...',
  '%2e%2e',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '..%2f..%2fetc%2fpasswd',
  '..%5c..%5cwindows',
  '%252e%252e%252f',
  '%00',
  'credit-risk%00',
  'credit-risk%00.onnx',
  'credit-risk%20',
  '%20credit-risk',
  'credit-risk%2f',
  'credit-risk%2f20261101_090000',
  'Credit-Risk',
  'CREDIT-RISK',
  'CON',
  'NUL',
  'aux.onnx',
  'x'.repeat(65),
  'x'.repeat(101),
  'x'.repeat(5_000),
  '%E2%80%AE',
  '%F0%9F%98%80',
  'cr%C3%A9dit',
  'credit%E2%80%90risk',
  '~',
  '~root',
  '.',
  '.git',
  '-',
  '*',
  '%2A',
  '%3F',
  '%23',
  '%7B%7B7*7%7D%7D',
  '$%7Bjndi:ldap:%2f%2fx%7D',
  '%0d%0aSet-Cookie:a',
  "'%20or%201=1--",
  '%3Cscript%3E',
];

if (spawnSync('strace', ['-V']).status === 0) {
  fault('H09', 'a strange name of a model or version gets 404, and opens no file', async ({ server }) => {
    const folder = mkdtempSync(join(tmpdir(), 'sardonyx-trace-'));
    const log = join(folder, 'opened');
    const tracer = spawn('strace', ['-f', '-e', 'trace=%file', '-o', log, '-p', String(server.child.pid)]);
    await once(tracer.stderr, 'data');
    let attempts = 0;
    for (const name of strangeNames) {
      for (const [method, path] of [
        ['GET', `/models/${name}`],
        ['POST', `/models/${name}/predict`],
        ['GET', `/models/credit-risk/versions/${name}`],
        ['POST', `/models/credit-risk/versions/${name}/predict`],
      ] as const) {
        const get = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
        const { status, headers } = await sendRaw(server.port, method === 'GET' ? get : rawPost(path, loan));
        expect(status, `${method} ${path}`).toBe(404);
        expect(headers.get('content-type')).toBe(problemType);
        attempts += 1;
      }
    }
    tracer.kill('SIGINT');
    await once(tracer, 'close');
    const opened = readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => /\b(open|stat|access|readlink)/.test(line))
      // The server counts its own descriptors now and then.
      .filter((line) => !line.includes('"/proc/self/fd"'));
    rmSync(folder, { recursive: true });
    expect(opened).toEqual([]);
    return `files opened ${opened.length} in ${attempts} requests`;
  });
} else test.skip('H09 a strange name gets 404: needs strace', () => undefined);

faultWithoutServer('H12', 'names that clients invent add no series to the metrics', async () => {
  await using server = await buildTestApp();
  const invent = async (from: number, to: number) => {
    for (let k = from; k < to; k += 1) {
      await server.get(`/nope-${k}`);
      await server.get(`/models/model-${k}`);
      await server.post(`/models/model-${k}/predict`, {});
      await server.post(`/models/credit-risk/versions/v${k}/predict`, {});
      await server.post('/predict', { [`key-${k}`]: k });
      await server.app.inject({ method: 'PUT', url: `/predict?${k}` });
    }
  };
  const listSeries = async () =>
    (await server.get('/metrics')).text
      .split('\n')
      .filter(isSeries)
      .map((line) => line.slice(0, line.lastIndexOf(' ')));
  await invent(0, 1);
  // The store of jobs is counted a moment after the start.
  await vi.waitUntil(async () => (await listSeries()).some((name) => name.startsWith('batch_jobs{')), 5_000);
  const before = new Set(await listSeries());
  const rounds = 17_000;
  await invent(1, rounds);
  const added = (await listSeries()).filter((name) => !before.has(name));
  expect(added).toEqual([]);
  return `series before ${before.size}, added ${added.length}, with ${rounds * 6} invented names`;
});

/** Without Node's own series: they grow with each kind of garbage collection, not by names from the network. */
const isSeries = (line: string) => line !== '' && !/^(#|nodejs_|process_)/.test(line);
