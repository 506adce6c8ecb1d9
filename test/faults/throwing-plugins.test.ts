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
  'answers 500 to the request whose hook, route or plugin fails, and every other as ever',
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
      // By then the answer is out.
      expect(status, `${name}: ${text}`).toBe(name.startsWith('onResponse') ? 200 : 500);
      if (status === 500) expect(JSON.parse(text)).toMatchObject({ code: 'internal', status: 500 });
      expect(text).not.toContain('secret');
    }
    const { failed, asked, p99 } = await good.stop();
    expect(failed).toBe(0);
    // A flood of lines is limited: each says how many before it were left out.
    const told = server.stdout.filter((line) => line.includes('a subscriber to predictions failed'));
    const kinds = ['throws', 'rejects'].map((how) =>
      told.filter((line) => line.includes(`subscriber ${how}`)),
    );
    for (const lines of kinds) expect(lines.length).toBeGreaterThan(0);
    return `${answers.length} faults in ${hooks.length} hooks and a route cost their own request alone; others failed ${failed} of ${asked} (p99 ${p99.toFixed(1)} ms), each with a subscriber that threw and one that rejected`;
  },
  { environment },
);

faultWithoutServer('S06', 'ends with 1 and a fatal line after an error that nobody caught', async () => {
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
  return 'exit code 1, fatal lines 1 each, of a throw and a rejection outside any request';
});
