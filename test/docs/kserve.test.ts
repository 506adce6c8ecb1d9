import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';

const page = readFileSync('docs/kserve.md', 'utf8');

test('the commands of docs/kserve.md are answered, and as it says', async () => {
  await using server = await buildTestApp();
  const commands = [
    ...page.matchAll(/curl http:\/\/127\.0\.0\.1:8000(\S+) -H '(\S+): (\S+)' \\\n {2}-d '(.*)'\n```/g),
  ];
  expect(commands).toHaveLength(2);
  const answers = [];
  for (const [, path, name, value, body] of commands) {
    const answer = await server.post(path as string, body as string, { [name as string]: value as string });
    expect(answer.status, answer.text).toBe(200);
    answers.push(answer.body);
  }
  expect(page).toContain('{ "predictions": [1, 0] }');
  expect(answers[0]).toEqual({ predictions: [1, 0] });
  expect(answers[1].predictions[0]).toHaveProperty('prediction_id');
});

test('its error is the one that a client gets, and the most rows are those that it says', async () => {
  await using server = await buildTestApp();
  const row = { age: 42, income: 51234.5, credit_score: 688 };
  const ask = async (instances: readonly unknown[]) =>
    server.post('/v1/models/credit-risk:predict', { instances });
  const { body } = await ask([row, { ...row, age: 130 }]);
  expect(page).toContain(`{ "error": ${JSON.stringify(body.error)} }`);
  expect(page).toContain('1,024 by default');
  expect((await ask(Array.from({ length: 1_024 }, () => row))).status).toBe(200);
  expect((await ask(Array.from({ length: 1_025 }, () => row))).body.error).toContain('at most 1024');
});
