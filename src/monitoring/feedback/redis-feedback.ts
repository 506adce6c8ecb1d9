import { requireForm } from '../../redis/out-of-step.js';
import { RefusedByRedis } from '../../redis/redis-errors.js';
import type { RedisLink } from '../../redis/redis-link.js';
import { runScript, type Script } from '../../redis/script.js';
import type { FeedbackItem, FeedbackOptions, FeedbackResult, FeedbackStore } from './feedback-store.js';
import { monotonicSeconds, toRepeated } from './memory-feedback.js';
import { type OutcomeShape, readActual, toActualText } from './outcome-shape.js';
import { type KeptPrediction, PredictionRing } from './prediction-ring.js';
import { toCells, type VersionCells } from './quality-cells.js';
import { bucketCount, findScript, keepScript, recordScript, sumsScript } from './redis-scripts.js';
import { slotsPerWindow } from './windowed-cells.js';

export interface RedisFeedbackOptions extends FeedbackOptions {
  /** With a hash tag: all keys must be in one slot of a cluster. */
  readonly prefix: string;
}

/** Predictions that wait for Redis: a second of a fast server. */
const maxWaiting = 16_384;
const rowsASend = 200;
const sendAfterMs = 20;
const retryAfterMs = 1_000;
const itemsAQuestion = 50;

/**
 * Keeps predictions in a Redis that many servers share. They are sent in the background, up to 20 ms later. While Redis
 * is away, the last `maxWaiting` of them wait, and feedback is `unavailable`.
 */
export function createRedisFeedback(
  link: Pick<RedisLink, 'ask' | 'recordDegraded'>,
  { prefix, ...options }: RedisFeedbackOptions,
): FeedbackStore {
  const { windowSeconds, maxPredictions, onDrop, now = monotonicSeconds } = options;
  /** Predictions that leave the ring because Redis has them are not lost. */
  let isSending = false;
  const ring = new PredictionRing(Math.min(maxWaiting, maxPredictions), options, () => {
    if (!isSending) onDrop(1);
  });
  const perBucket = Math.ceil(maxPredictions / bucketCount);
  const sentShapes = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<boolean> | undefined;
  let isClosed = false;

  async function run(script: Script, args: readonly (string | number)[], items: number) {
    const reply = await link.ask('feedback', async (redis) =>
      requireForm(await runScript(redis, script, [prefix], args), (it) => hasItems(it, items)),
    );
    if (!(reply instanceof RefusedByRedis)) return reply;
    link.recordDegraded('feedback');
    return undefined;
  }

  /** Sends the oldest predictions. Resolves with whether Redis has them. */
  async function sendSome(): Promise<boolean> {
    const rows = Array.from({ length: Math.min(rowsASend, ring.kept.size) }, (_, k) => ring.kept.slotAt(k));
    const shapes = new Map<string, string>();
    const first = rows[0] === undefined ? '' : ring.kept.idOf(rows[0]);
    let lines = '';
    for (const slot of rows) {
      const kept = ring.read(slot);
      const name = `${kept.model}/${kept.version}`;
      if (!sentShapes.has(name)) shapes.set(name, JSON.stringify(kept.shape));
      lines += `${ring.kept.idOf(slot)} ${toEntry(name, kept)}\n`;
    }
    const shapeLines = [...shapes].map(([name, text]) => `${name} ${text}\n`).join('');
    const args = [windowSeconds, perBucket, shapeLines, lines];
    if ((await run(keepScript, args, 1)) === undefined) return false;
    for (const name of shapes.keys()) sentShapes.add(name);
    isSending = true;
    // If so many came meanwhile that the oldest were dropped, the remaining ones are sent again, which changes nothing.
    if (ring.kept.size >= rows.length && ring.kept.idOf(ring.kept.slotAt(0)) === first)
      for (let k = 0; k < rows.length; k += 1) ring.kept.evict();
    isSending = false;
    return true;
  }

  async function sendAll(): Promise<boolean> {
    while (ring.kept.size > 0) if (!(await sendSome())) return false;
    return true;
  }

  function send(): Promise<boolean> {
    clearTimeout(timer);
    timer = undefined;
    sending ??= sendAll().finally(() => {
      sending = undefined;
      if (ring.kept.size > 0 && !isClosed) plan(retryAfterMs);
    });
    return sending;
  }

  function plan(ms: number): void {
    timer ??= setTimeout(send, ms).unref();
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
    return Promise.all(
      items.map(async (item, k) => {
        const [bucket, entry, before, shape] = found.slice(k * 4, k * 4 + 4);
        const kept = bucket === -1 ? undefined : readEntry(String(entry), String(shape));
        if (kept === undefined || kept.keyId !== keyId) return { result: 'unknown' } as const;
        return record(item, kept, Number(bucket), String(before));
      }),
    );
  }

  async function record(
    { predictionId, actual }: FeedbackItem,
    kept: Omit<KeptPrediction, 'at'>,
    bucket: number,
    before: string,
  ): Promise<FeedbackResult> {
    const { model, version } = kept;
    const read = readActual(kept.shape, kept.predicted, actual);
    if (typeof read === 'string') return { result: 'invalid', model, reason: read };
    const text = toActualText(read);
    if (before !== '') return toRepeated(model, before, text);
    const slot = Math.floor(Date.now() / 1_000 / (windowSeconds / slotsPerWindow));
    const cells = Object.entries(toCells(kept.shape, kept, read));
    const sums = cells.flatMap(([name, amount]) => [JSON.stringify([model, version, name]), amount]);
    const id = predictionId.toLowerCase();
    const reply = await run(recordScript, [windowSeconds, slot, bucket, id, text, ...sums], 2);
    if (reply === undefined) return unavailable;
    if (reply[0] === 1) return { result: 'recorded', model };
    return reply[0] === 0 ? toRepeated(model, String(reply[1]), text) : { result: 'unknown' };
  }

  return {
    isShared: true,
    keep(event) {
      if (ring.keep(event, Math.floor(now()))) plan(sendAfterMs);
    },
    async join(items, keyId) {
      // Those that this process has just predicted must be there.
      if (ring.kept.size > 0) await send();
      const results: FeedbackResult[] = [];
      for (let k = 0; k < items.length; k += itemsAQuestion)
        results.push(...(await judge(items.slice(k, k + itemsAQuestion), keyId)));
      return results;
    },
    async sums() {
      const last = Math.floor(Date.now() / 1_000 / (windowSeconds / slotsPerWindow));
      const slots = Array.from({ length: slotsPerWindow }, (_, k) => last - k);
      const reply = await run(sumsScript, slots, slotsPerWindow + 1);
      return reply?.every(Array.isArray) ? readSums(reply as readonly unknown[][]) : undefined;
    },
    async close() {
      isClosed = true;
      await send();
      clearTimeout(timer);
      onDrop(ring.kept.size);
    },
  };
}

const unavailable: FeedbackResult = {
  result: 'unavailable',
  reason: 'Redis, which keeps the predictions, cannot be reached: send it again later',
};

function hasItems(reply: unknown, items: number): boolean {
  return Array.isArray(reply) && reply.length === items;
}

/** JSON cannot tell an undefined key from none: null is one that is not needed. */
function toEntry(name: string, { model, version, keyId, predicted, values }: KeptPrediction): string {
  return JSON.stringify([name, model, version, keyId ?? null, predicted ?? null, values]);
}

/** Undefined for an entry that is damaged, or whose version is not known. */
function readEntry(text: string, shapeText: string): Omit<KeptPrediction, 'at'> | undefined {
  try {
    const [, model, version, keyId, predicted, values] = JSON.parse(text);
    const shape: OutcomeShape = JSON.parse(shapeText);
    return { model, version, shape, keyId: keyId ?? undefined, predicted: predicted ?? undefined, values };
  } catch {
    return undefined;
  }
}

function readSums([shapes = [], ...slots]: readonly (readonly unknown[])[]): readonly VersionCells[] {
  const known = new Map<string, OutcomeShape>();
  for (let k = 0; k < shapes.length; k += 2)
    known.set(String(shapes[k]), JSON.parse(String(shapes[k + 1])) as OutcomeShape);
  const all = new Map<string, VersionCells & { readonly cells: Record<string, number> }>();
  for (const fields of slots) {
    for (let k = 0; k < fields.length; k += 2) {
      const [model, version, cell] = JSON.parse(String(fields[k])) as [string, string, string];
      const name = `${model}/${version}`;
      const shape = known.get(name);
      if (shape === undefined) continue;
      const into = all.get(name) ?? { model, version, shape, cells: {} };
      into.cells[cell] = (into.cells[cell] ?? 0) + Number(fields[k + 1]);
      all.set(name, into);
    }
  }
  return [...all.values()];
}
