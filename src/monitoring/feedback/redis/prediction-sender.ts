import type { PredictionEvent } from '../../../prediction-event.js';
import type { FeedbackOptions } from '../feedback-store.js';
import { monotonicSeconds } from '../memory-feedback.js';
import { PredictionRing } from '../prediction-ring.js';
import { bucketCount } from './redis-scripts.js';
import { nameOf, writePrediction } from './stored-feedback.js';
import type { VersionShapes } from './version-shapes.js';

/** Runs `keepScript`. Undefined if Redis could not serve. */
export type KeepInRedis = (args: readonly (string | number)[]) => Promise<readonly unknown[] | undefined>;

export interface PredictionSender {
  /** Sends the prediction up to 20 ms later. */
  keep(event: PredictionEvent): void;
  /** Sends those that wait. Resolves when Redis has them, or cannot be reached. */
  send(): Promise<void>;
  close(): Promise<void>;
}

/** Predictions that wait for Redis: a second of a fast server. */
const maxWaiting = 16_384;
const rowsASend = 200;
const sendAfterMs = 20;
const retryAfterMs = 1_000;

/** Sends predictions to Redis in the background. While Redis is away, the last `maxWaiting` of them wait. */
export function createPredictionSender(
  keepInRedis: KeepInRedis,
  shapes: VersionShapes,
  options: FeedbackOptions,
): PredictionSender {
  const { windowSeconds, maxPredictions, onDrop, now = monotonicSeconds } = options;
  /** Predictions that leave the ring because Redis has them are not lost. */
  let isSending = false;
  const ring = new PredictionRing(Math.min(maxWaiting, maxPredictions), options, () => {
    if (!isSending) onDrop(1);
  });
  const perBucket = Math.ceil(maxPredictions / bucketCount);
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  let isClosed = false;

  /** Sends the oldest predictions. Resolves with whether it is worth while to go on. */
  async function sendSome(): Promise<boolean> {
    const rows = Array.from({ length: Math.min(rowsASend, ring.kept.size) }, (_, k) => ring.kept.slotAt(k));
    const names = new Set<string>();
    const first = rows[0] === undefined ? '' : ring.kept.idOf(rows[0]);
    let lines = '';
    for (const slot of rows) {
      const kept = ring.read(slot);
      const name = nameOf(kept);
      if (!names.has(name)) shapes.add(name, kept.shape);
      names.add(name);
      lines += `${ring.kept.idOf(slot)} ${name} ${writePrediction(kept)}\n`;
    }
    const fresh = [...names].filter((name) => !shapes.isSent(name));
    const known = [...names].filter((name) => shapes.isSent(name)).join(' ');
    const shapeLines = fresh.map((name) => `${name} ${shapes.textOf(name)}\n`).join('');
    const reply = await keepInRedis([windowSeconds, perBucket, known, shapeLines, lines]);
    if (reply === undefined) return false;
    const [isKept, about] = reply;
    if (isKept !== 1) {
      shapes.noteMissing(String(about).split(' '));
      return true;
    }
    shapes.noteSent(fresh);
    if (Number(about) > 0) onDrop(Number(about));
    isSending = true;
    // If so many came meanwhile that the oldest were dropped, the remaining ones are sent again, which changes nothing.
    if (ring.kept.size >= rows.length && ring.kept.idOf(ring.kept.slotAt(0)) === first)
      for (let k = 0; k < rows.length; k += 1) ring.kept.evict();
    isSending = false;
    return true;
  }

  async function sendAll(): Promise<void> {
    while (ring.kept.size > 0 && (await sendSome()));
  }

  function send(): Promise<void> {
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

  return {
    keep(event) {
      if (ring.keep(event, Math.floor(now()))) plan(sendAfterMs);
    },
    async send() {
      if (ring.kept.size > 0) await send();
    },
    async close() {
      isClosed = true;
      await send();
      clearTimeout(timer);
      onDrop(ring.kept.size);
    },
  };
}
