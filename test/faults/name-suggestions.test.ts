import { expect } from 'vitest';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';

const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1] as number;
const count = 1_000;
/** Names of 64 letters, the maximum that is compared, which differ only in the middle. */
const nameOf = (middle: string) => `${'feature_of_the_model_'.padEnd(30, 'x')}${middle}${'y'.repeat(30)}`;
const names = Array.from({ length: count }, (_, k) => nameOf(String(k).padStart(4, '0')));
const folder = createRegistryFolder();
folder.addVersion('wide', '1', {
  manifest: {
    task: 'regression',
    features: names.map((name) => ({ name, type: 'number' as const, default: 0 })),
  },
  model: linearRegression(new Array<number>(count).fill(1), 0),
});

/** The first and last letter differ, so that no common prefix or suffix can be skipped. */
const misspelt = Object.fromEntries(
  Array.from({ length: 25 }, (_, k) => [`z${nameOf(`${String.fromCharCode(97 + k)}bcd`).slice(1, -1)}z`, 1]),
);
const body = JSON.stringify(misspelt);

for (const detail of ['on', 'off'] as const) {
  faultWithoutServer(
    'A09',
    `suggestions for misspelt names take little time, with ERROR_DETAIL=${detail}`,
    async () => {
      await using server = await startServerProcess({ MODELS_DIR: folder.path, ERROR_DETAIL: detail });
      const ask = async (text: string) => {
        const started = performance.now();
        const answer = await fetch(`${server.url}/predict`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: text,
        });
        const reply = await answer.text();
        expect(answer.status).toBe(400);
        return { ms: performance.now() - started, reply };
      };
      const times: number[] = [];
      const plain: number[] = [];
      for (let k = 0; k < 20; k += 1) {
        plain.push((await ask('{"x":1')).ms);
        const { ms, reply } = await ask(body);
        times.push(ms);
        if (detail === 'on') expect(JSON.parse(reply).errors[0].message).toMatch(/did you mean feature_of/);
        else expect(JSON.parse(reply)).not.toHaveProperty('errors');
      }
      const own = median(times) - median(plain);
      expect(own).toBeLessThan(detail === 'on' ? 30 : 5);
      return `${body.length} bytes: ${own.toFixed(1)} ms on the server's thread (before the fix: 600)`;
    },
  );
}
