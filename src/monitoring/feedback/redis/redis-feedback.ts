import { requireForm } from '../../../redis/out-of-step.js';
import { RefusedByRedis } from '../../../redis/redis-errors.js';
import type { RedisLink } from '../../../redis/redis-link.js';
import { runScript, type Script } from '../../../redis/script.js';
import type { FeedbackItem, FeedbackOptions, FeedbackResult, FeedbackStore } from '../feedback-store.js';
import { toRepeated } from '../memory-feedback.js';
import { hasOpenClasses, readOpenCell } from '../open-classes.js';
import { type OutcomeShape, readActual, toActualText } from '../outcome-shape.js';
import { nameOf, toCells } from '../quality-cells.js';
import { epochOf } from '../windowed-cells.js';
import { createPredictionSender } from './prediction-sender.js';
import { findScript, keepScript, recordScript } from './redis-scripts.js';
import { type Damage, fitsShape, readPrediction, type StoredPrediction } from './stored-feedback.js';
import { writeSumField } from './stored-sums.js';
import { createSumsReader, slotAt } from './sums-reader.js';
import { VersionShapes } from './version-shapes.js';

export interface RedisFeedbackOptions extends FeedbackOptions {
  /** With a hash tag: all keys must be in one slot of a cluster. */
  readonly prefix: string;
  /** Called once for each kind of what is in Redis and cannot be read. It is skipped. */
  readonly onDamage: (what: Damage) => void;
}

const itemsAQuestion = 50;

/**
 * Keeps predictions in a Redis that many servers share. While Redis is away, the last predictions wait for it, and feedback
 * is `unavailable`.
 */
export function createRedisFeedback(
  link: Pick<RedisLink, 'ask' | 'recordDegraded'>,
  { prefix, onDamage, ...options }: RedisFeedbackOptions,
): FeedbackStore {
  const { windowSeconds } = options;
  const damages = new Set<Damage>();
  const noteDamage = (what: Damage) => {
    if (!damages.has(what)) onDamage(what);
    damages.add(what);
  };
  const shapes = new VersionShapes(noteDamage);
  const sender = createPredictionSender((args) => run(keepScript, args, 2), shapes, options);

  async function run(script: Script, args: readonly (string | number)[], items: number) {
    const reply = await link.ask('feedback', async (redis) =>
      requireForm(await runScript(redis, script, [prefix], args), (it) => hasItems(it, items)),
    );
    if (!(reply instanceof RefusedByRedis)) return reply;
    link.recordDegraded('feedback');
    return undefined;
  }

  async function judge(
    items: readonly FeedbackItem[],
    keyId: string | undefined,
  ): Promise<readonly FeedbackResult[]> {
    const found = await run(
      findScript,
      [windowSeconds, ...items.map(({ predictionId }) => predictionId.toLowerCase())],
      items.length * 4,
    );
    if (found === undefined) return items.map(() => unavailable);
    const shapeTexts = new Map<string, string>();
    return Promise.all(
      items.map((item, k) => {
        const [bucket, json, before, shapeText] = found.slice(k * 4, k * 4 + 4);
        if (bucket === -1) return unknown;
        const stored = readPrediction(String(json));
        const name = stored && nameOf(stored);
        if (name !== undefined && shapeText !== 0) shapeTexts.set(name, String(shapeText));
        const shape = name === undefined ? undefined : shapes.read(name, shapeTexts.get(name) ?? '');
        if (stored === undefined || (shape !== undefined && !fitsShape(stored, shape))) {
          noteDamage('a prediction');
          return unknown;
        }
        if (stored.keyId !== keyId) return unknown;
        if (shape === undefined) return withoutShape;
        return record(item, stored, shape, Number(bucket), String(before));
      }),
    );
  }

  async function record(
    { predictionId, actual }: FeedbackItem,
    stored: StoredPrediction,
    shape: OutcomeShape,
    bucket: number,
    before: string,
  ): Promise<FeedbackResult> {
    const { model } = stored;
    const read = readActual(shape, stored, actual);
    if (typeof read === 'string') return { result: 'invalid', model, reason: read };
    const text = toActualText(read);
    if (before !== '') return toRepeated(model, before, text);
    const slot = slotAt(Date.now() / 1_000, windowSeconds);
    const id = predictionId.toLowerCase();
    const classes = `${epochOf(slot)}:${nameOf(stored)}`;
    const sums = JSON.stringify(
      Object.entries(toCells(shape, stored, read)).map(([cell, amount]) => {
        const open = hasOpenClasses(shape) ? readOpenCell(cell) : undefined;
        const sum = [writeSumField(stored, cell), String(amount)];
        return open === undefined ? sum : [...sum, open.text, open.limit, writeSumField(stored, open.other)];
      }),
    );
    const reply = await run(recordScript, [windowSeconds, slot, bucket, id, text, classes, sums], 2);
    if (reply === undefined) return unavailable;
    switch (reply[0]) {
      case 1:
        return { result: 'recorded', model };
      case 0:
        return toRepeated(model, String(reply[1]), text);
      case -2:
        noteDamage('a sum');
        link.recordDegraded('feedback');
        return damagedSums;
      default:
        return unknown;
    }
  }

  return {
    isShared: true,
    keep: sender.keep,
    async join(items, keyId) {
      // Those that this process has just predicted must be there.
      await sender.send();
      const results: FeedbackResult[] = [];
      for (let k = 0; k < items.length; k += itemsAQuestion)
        results.push(...(await judge(items.slice(k, k + itemsAQuestion), keyId)));
      return results;
    },
    sums: createSumsReader(run, shapes, windowSeconds, noteDamage),
    close: sender.close,
  };
}

const unknown: FeedbackResult = { result: 'unknown' };
const unavailable: FeedbackResult = {
  result: 'unavailable',
  reason: 'Redis, which keeps the predictions, cannot be reached: send it again later',
};
const withoutShape: FeedbackResult = {
  result: 'unavailable',
  reason: 'Redis has lost what this version predicts, until its next prediction: send it again later',
};
const damagedSums: FeedbackResult = {
  result: 'unavailable',
  reason: 'the sums of this part of the window in Redis are damaged: send it again later',
};

function hasItems(reply: unknown, items: number): boolean {
  return Array.isArray(reply) && reply.length === items;
}
