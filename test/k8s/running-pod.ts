import { once } from 'node:events';
import { type Agent, type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { entry } from '../helpers/keys.js';
import type { Container, KubeObject } from './objects.js';
import { Pod, type PodSurroundings } from './pod.js';

const entries = [entry('client'), entry('prometheus', { scopes: ['metrics'] })];

/** API keys of `client` and `prometheus`, and the sample models: in an image at `/models`, and behind a claim. */
export const surroundings: PodSurroundings = {
  secrets: { 'sardonyx-keys': { 'keys.json': JSON.stringify(entries) } },
  imageFolders: { 'sardonyx-models:1': { '/models': 'models' } },
  claims: { 'sardonyx-models': 'models' },
  // Any free port, since the pod's port may be taken on this machine.
  environment: { PORT: '0' },
};

export interface RunningPod extends AsyncDisposable {
  readonly pod: Pod;
  readonly pid: number;
  readonly port: number;
  readonly lines: readonly string[];
  readonly ended: Promise<{ code: number | null; ms: number }>;
}

/** Starts a pod and waits until its readiness probe passes. */
export async function startPod(objects: readonly KubeObject[], given: PodSurroundings): Promise<RunningPod> {
  const pod = new Pod(objects, given);
  const child = await pod.start();
  const lines: string[] = [];
  const started = performance.now();
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => lines.push(...String(chunk).split('\n').filter(Boolean)));
  const ended = once(child, 'close').then(([code]) => ({ code, ms: performance.now() - started }));
  const portOf = () => /listening at http:\/\/[^"]*:(\d+)/.exec(lines.join('\n'))?.[1];
  const { path } = (pod.spec.containers[0] as Container)['readinessProbe'].httpGet;
  while (portOf() === undefined || (await probe(Number(portOf()), path)) !== 200) {
    if (child.exitCode !== null || performance.now() - started > 30_000)
      throw new Error(`the pod is not ready:\n${lines.join('\n')}`);
    await pause(50);
  }
  return {
    pod,
    pid: child.pid as number,
    port: Number(portOf()),
    lines,
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGKILL');
      await ended;
      pod[Symbol.dispose]();
    },
  };
}

export interface PodAnswer {
  /** 0 without an answer: `text` is the reason then. */
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

/** Sends a GET, or a POST if there is a body. */
export function askFor(port: number, path: string, options: RequestOptions = {}, body?: string) {
  return new Promise<PodAnswer>((resolve) => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request({ port, path, host: '127.0.0.1', method, ...options }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      const { statusCode = 0, headers } = response;
      response.on('end', () => resolve({ status: statusCode, text, headers }));
    });
    sent.on('error', (error) => resolve({ status: 0, text: String(error), headers: {} }));
    sent.end(body);
  });
}

/** The result of a kubelet's probe. */
export const probe = async (port: number, path: string): Promise<number> => (await askFor(port, path)).status;

const row = JSON.stringify({ age: 42, income: 51234.5, credit_score: 688 });

export function predict(port: number, headers: Record<string, string>, agent?: Agent): Promise<PodAnswer> {
  const options = { headers: { 'content-type': 'application/json', ...headers }, ...(agent && { agent }) };
  return askFor(port, '/models/credit-risk/predict', options, row);
}
