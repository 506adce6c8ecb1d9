import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { startServerProcess } from '../helpers/server-process.js';
import { startGoodClient } from './instruments/clients.js';
import { fault, faultWithoutServer } from './instruments/fault.js';

const plugin = pathToFileURL('test/faults/instruments/throwing-plugin.mjs').href;
const environment = { NODE_OPTIONS: `--import=${plugin}` };
const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const hooks = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'onSend', 'onResponse'];

fault(
  'S06',
  'a hook, route or subscriber that throws fails at most its own request, with 500',
  async ({ server }) => {
    const good = startGoodClient(server, '/predict', loan);
    const answers: { name: string; status: number; text: string }[] = [];
    const ask = async (path: string, init: RequestInit, name: string) => {
      const response = await fetch(server.url + path, init);
      answers.push({ name, status: response.status, text: await response.text() });
    };
    for (let round = 0; round < 10; round += 1) {
      for (const hook of hooks) {
        for (const how of ['throw', 'reject']) {
          const headers = { 'content-type': 'application/json', 'x-throw': `${hook} ${how}` };
          await ask('/predict', { method: 'POST', headers, body: loan }, `${hook} ${how}`);
        }
      }
      await ask('/throw', {}, 'route throw');
      await ask('/reject', {}, 'route reject');
    }
    for (const { name, status, text } of answers) {
      // onResponse runs after the answer is sent.
      expect(status, `${name}: ${text}`).toBe(name.startsWith('onResponse') ? 200 : 500);
      if (status === 500) expect(JSON.parse(text)).toMatchObject({ code: 'internal', status: 500 });
      expect(text).not.toContain('secret');
    }
    const { failed, asked, p99 } = await good.stop();
    expect(failed).toBe(0);
    // The log limits floods; each line says how many were left out before it.
    const logged = server.stdout.filter((line) => line.includes('a subscriber to predictions failed'));
    const kinds = ['throws', 'rejects'].map((how) =>
      logged.filter((line) => line.includes(`subscriber ${how}`)),
    );
    for (const lines of kinds) expect(lines.length).toBeGreaterThan(0);
    return `${answers.length} faults in ${hooks.length} hooks and a route failed only their own request; others failed ${failed} of ${asked} (p99 ${p99.toFixed(1)} ms), each with one subscriber that threw and one that rejected`;
  },
  { environment },
);

faultWithoutServer('S06', 'an uncaught error ends the server with 1 and a fatal line', async () => {
  for (const [path, origin] of [
    ['/throw-later', 'uncaughtException'],
    ['/reject-later', 'unhandledRejection'],
  ] as const) {
    await using server = await startServerProcess(environment);
    expect((await fetch(server.url + path)).status).toBe(200);
    expect(await server.ended, path).toEqual({ code: 1, signal: null });
    const fatal = server.stdout.filter((line) => line.includes('"level":60'));
    expect(fatal).toHaveLength(1);
    expect(JSON.parse(fatal[0] as string)).toMatchObject({ origin, err: { message: 'nobody catches this' } });
  }
  return 'exit code 1 and one fatal line each for a throw and a rejection outside of any request';
});
