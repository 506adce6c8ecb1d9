import { randomUUID } from 'node:crypto';
import { expect, vi } from 'vitest';
import { ask, inParallel, readMetric } from '../helpers/ask.js';
import { startRedis } from '../helpers/redis.js';
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js';
import { fault, faultWithoutServer } from './instruments/fault.js';

const loan = { age: 42, income: 51234.5, credit_score: 688 };

async function post(server: ServerProcess, body: unknown) {
  const reply = await fetch(`${server.url}/feedback`, {
    method: 'POST',
    // A connection of its own, which any worker may get.
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever came back
  return { status: reply.status, body: (await reply.json()) as any };
}

/** Sends hostile and honest feedback, and returns how many figures are wrong. */
async function attack(server: ServerProcess): Promise<string> {
  const ids = await inParallel(Array.from({ length: 60 }), 8, async () => {
    const { body } = await ask(server.url, 'credit-risk', loan);
    return String(body.prediction_id);
  });
  // With Redis another worker knows a prediction 20 ms later. A wrong actual is not counted.
  const isKnown = async (prediction_id: string) =>
    (await post(server, { prediction_id, actual: 'wrong' })).status === 400;
  await vi.waitUntil(async () => (await Promise.all(ids.map(isKnown))).every(Boolean), { timeout: 10_000 });
  const statuses: Record<number, number> = {};
  const send = async (body: unknown) => {
    const reply = await post(server, body);
    statuses[reply.status] = (statuses[reply.status] ?? 0) + 1;
    return reply;
  };
  // The same one 100 times at once.
  const [first = '', ...others] = ids;
  const same = await inParallel(Array.from({ length: 100 }), 100, () =>
    send({ prediction_id: first, actual: 1 }),
  );
  expect(same.filter(({ body }) => body.result === 'recorded')).toHaveLength(1);
  expect(same.filter(({ body }) => body.result === 'already_recorded')).toHaveLength(99);
  const [second = '', ...rest] = others;
  // Two that contradict each other: the first that comes stays.
  const both = await inParallel(Array.from({ length: 40 }), 40, (_, k) =>
    send({ prediction_id: second, actual: k % 2 }),
  );
  const winner = both.find(({ body }) => body.result === 'recorded');
  expect(both.filter(({ body }) => body.result === 'recorded')).toHaveLength(1);
  expect(both.filter(({ status }) => status === 409)).toHaveLength(20);
  const winning = both.indexOf(winner as (typeof both)[number]) % 2;
  for (const actual of ['1', true, null, [1], {}, 2, -1, 0.5]) {
    expect((await send({ prediction_id: rest[0], actual })).status, JSON.stringify(actual)).toBe(400);
  }
  for (let k = 0; k < 20; k += 1)
    expect((await send({ prediction_id: randomUUID(), actual: 1 })).status).toBe(404);
  // Good ones with one bad in five, each bad one of another kind, and all of it twice.
  const bad = [null, {}, { prediction_id: 'x', actual: 1 }, { prediction_id: randomUUID(), actual: 0 }, [[]]];
  const feedback = rest.flatMap((prediction_id, k) => [
    { prediction_id, actual: Number(k % 4 !== 0) },
    ...(k % 4 === 0 ? [bad[(k / 4) % bad.length]] : []),
  ]);
  const recorded = (await inParallel([0, 1], 2, () => send({ feedback }))).map(({ body }) => body.recorded);
  expect(recorded[0] + recorded[1]).toBe(rest.length);

  const quality = (await (await fetch(`${server.url}/models/credit-risk/quality`)).json()) as {
    versions: { feedback: number; accuracy: number; confusion: { counts: number[][] } }[];
  };
  const rights = 1 + winning + rest.filter((_, k) => k % 4 !== 0).length;
  const [version] = quality.versions;
  const expected = {
    feedback: ids.length,
    confusion: {
      counts: [
        [0, ids.length - rights],
        [0, rights],
      ],
    },
  };
  expect(version).toMatchObject(expected);
  expect(await readMetric(server.url, 'model_accuracy', 'source="live"')).toBeCloseTo(
    rights / ids.length,
    12,
  );
  expect(await readMetric(server.url, 'feedback_total', 'result="recorded"')).toBe(ids.length);
  await attackNumbers(server);
  const sent = Object.values(statuses).reduce((sum, it) => sum + it, 0);
  return `wrong counts 0 of ${ids.length} predictions after ${sent} requests`;
}

/** Numbers whose squares no sum can hold change no figure. */
async function attackNumbers(server: ServerProcess): Promise<void> {
  const reply = await fetch(`${server.url}/models/diabetes/versions/latest`);
  const { example } = (await reply.json()) as { example: unknown };
  const predicted = await inParallel(Array.from({ length: 20 }), 8, async () => {
    return (await ask(server.url, 'diabetes', example)).body as { prediction: number; prediction_id: string };
  });
  const judge = async ({ prediction_id }: { prediction_id: string }, actual: number) => {
    let status = 404;
    const isKnown = async () => {
      ({ status } = await post(server, { prediction_id, actual }));
      return status !== 404;
    };
    await vi.waitUntil(isKnown, { timeout: 10_000 });
    return status;
  };
  for (const it of predicted) {
    for (const actual of [1e200, -1e200, Number.MAX_VALUE]) expect(await judge(it, actual)).toBe(400);
    expect(await judge(it, it.prediction + 10)).toBe(200);
  }
  expect(await readMetric(server.url, 'model_rmse', 'model="diabetes"', 'source="live"')).toBeCloseTo(10, 4);
  expect(await readMetric(server.url, 'model_feedback_rows', 'model="diabetes"')).toBe(predicted.length);
}

fault('V07', 'feedback is judged singly and counted once, whatever comes with it', ({ server }) =>
  attack(server),
);

faultWithoutServer('V07', 'feedback is counted once, whichever worker gets it', async () => {
  await using server = await startServerProcess({ WORKERS: '2' });
  return await attack(server);
});

faultWithoutServer('V07', 'feedback is counted once by several workers that share a Redis', async () => {
  await using redis = await startRedis();
  await using server = await startServerProcess({
    WORKERS: '2',
    REDIS_URL: redis.url,
    REDIS_TIMEOUT_MS: '5000',
  });
  return await attack(server);
});
