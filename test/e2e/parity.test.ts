import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';

const versions = [
  'credit-risk/20261101_090000',
  'credit-risk/20261115_143000',
  'breast-cancer/1.0.0',
  'churn/1',
  'diabetes/1',
  'digits/1',
];

interface Expected {
  readonly prediction?: number | string;
  readonly probability?: number;
  readonly outputs?: Record<string, unknown>;
}

let server: ServerProcess;
beforeAll(async () => {
  server = await startServerProcess();
});
afterAll(() => server[Symbol.asyncDispose]());

// The golden rows hold scikit-learn's own answers. training/verify_parity.py does the same with 1,000 fresh rows.
describe('the sample models answer over HTTP as scikit-learn does', () => {
  test.each(versions)('%s', async (version) => {
    const { instances, expected } = JSON.parse(readFileSync(`models/${version}/golden.json`, 'utf8'));
    const [model, name] = version.split('/');
    expect(instances.length).toBeGreaterThanOrEqual(50);
    const answers = await Promise.all(
      instances.map(async (instance: unknown) => {
        const response = await fetch(`${server.url}/models/${model}/versions/${name}/predict`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(instance),
        });
        expect(response.status).toBe(200);
        return response.json();
      }),
    );
    for (const [row, answer] of answers.entries()) compare(answer, expected[row], `${version} row ${row}`);
  });
});

function compare(answer: Expected, wanted: Expected, row: string): void {
  if (wanted.probability !== undefined) {
    expect(answer.prediction, row).toBe(wanted.prediction);
    expect(Math.abs((answer.probability as number) - wanted.probability), row).toBeLessThanOrEqual(1e-5);
  } else if (wanted.outputs !== undefined) {
    for (const [name, values] of Object.entries(wanted.outputs)) {
      const [got, want] = [answer.outputs?.[name], values].map((it) => [it].flat(9) as number[]);
      expect(got?.length, row).toBe(want?.length);
      for (const [k, value] of (want ?? []).entries()) {
        expect(Math.abs(value - (got?.[k] as number)), `${row} ${name}`).toBeLessThanOrEqual(1e-5);
      }
    }
  } else {
    const value = wanted.prediction as number;
    const relative = Math.abs((answer.prediction as number) - value) / Math.max(1, Math.abs(value));
    expect(relative, row).toBeLessThanOrEqual(1e-4);
  }
}
