import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { buildServer } from '../../src/app.js';
import { readConfig } from '../../src/config/read-config.js';
import { createRegistryFolder } from './registry-folder.js';

export interface TestApp extends AsyncDisposable {
  readonly app: FastifyInstance;
  /** Every line that was logged, parsed. */
  readonly logs: readonly Record<string, unknown>[];
  /** POSTs a body as JSON (a string unchanged) and resolves with the status, the parsed body and the headers. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<TestAnswer>;
  get(path: string, headers?: Record<string, string>): Promise<TestAnswer>;
}

export interface TestAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever came back
  readonly body: any;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** The real server with the sample models. It does not listen: requests are injected. */
export async function buildTestApp(environment: Record<string, string> = {}): Promise<TestApp> {
  const logs: Record<string, unknown>[] = [];
  const logger = pino(
    { level: environment['LOG_LEVEL'] ?? 'info' },
    { write: (line) => logs.push(JSON.parse(line)) },
  );
  const stateDir = mkdtempSync(join(tmpdir(), 'sardonyx-state-'));
  const app = await buildServer(readConfig({ STATE_DIR: stateDir, ...environment }), logger);
  await app.modelsLoaded;
  const inject = async (
    method: 'GET' | 'POST',
    url: string,
    payload?: string,
    headers: Record<string, string> = {},
  ) => {
    const reply = await app.inject({ method, url, headers, ...(payload !== undefined && { payload }) });
    const isJson = /[/+]json/.test(String(reply.headers['content-type']));
    const body = isJson ? JSON.parse(reply.body) : reply.body;
    return { status: reply.statusCode, body, text: reply.body, headers: reply.headers };
  };
  return {
    app,
    logs,
    post: (path, body, headers) =>
      inject('POST', path, typeof body === 'string' ? body : JSON.stringify(body), {
        'content-type': 'application/json',
        ...headers,
      }),
    get: (path, headers) => inject('GET', path, undefined, headers),
    async [Symbol.asyncDispose]() {
      await app.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** The real server without models, for tests to which models do not matter: it starts in a tenth of the time. */
export async function buildEmptyApp(environment: Record<string, string> = {}): Promise<TestApp> {
  const folder = createRegistryFolder();
  const server = await buildTestApp({ ...environment, MODELS_DIR: folder.path });
  return {
    ...server,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}
