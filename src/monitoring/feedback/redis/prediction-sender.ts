import type { PredictionEvent } from '../../../prediction-event.js';
import type { FeedbackOptions } from '../feedback-store.js';
import { monotonicSeconds } from '../memory-feedback.js';
import { PredictionRing } from '../prediction-ring.js';
import { nameOf } from '../quality-cells.js';
import { bucketCount } from './redis-scripts.js';
import { writePrediction } from './stored-feedback.js';
import type { VersionShapes } from './version-shapes.js';

/** Runs `keepScript`. Undefined if Redis could not serve. */
export type KeepInRedis = (args: readonly (string | number)[]) => Promise<readonly unknown[] | undefined>;

export interface PredictionSender {
  /** Sends the prediction up to 20 ms later. */
  keep(event: PredictionEvent): void;
  /** Sends those that wait now. Resolves when Redis has them, or cannot be reached. Later ones do not count. */
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
  /** The number of all predictions so far, which is that of the newest one. */
  let newest = 0;
  /** The number of the last one that is no longer in the ring. */
  const gone = () => newest - ring.kept.size;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<boolean> | undefined;
  let isClosed = false;

  /** Sends the oldest predictions up to a number. Resolves with whether it is worth while to go on. */
  async function sendSome(until: number): Promise<boolean> {
    const last = Math.min(gone() + rowsASend, until);
    const rows = Array.from({ length: last - gone() }, (_, k) => ring.kept.slotAt(k));
    const names = new Set<string>();
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
    // Some may have been dropped meanwhile, since more came than there is room for.
    while (gone() < last) ring.kept.evict();
    isSending = false;
    return true;
  }

  /** Sends those that wait at its begin: with those that come meanwhile it might never end. */
  async function sendRound(): Promise<boolean> {
    const until = newest;
    while (gone() < until) if (!(await sendSome(until))) return false;
    return true;
  }

  /** Begins a round, unless one runs. */
  function send(): Promise<boolean> {
    clearTimeout(timer);
    timer = undefined;
    sending ??= sendRound().then((isSent) => {
      sending = undefined;
      if (ring.kept.size > 0) plan(isSent ? sendAfterMs : retryAfterMs);
      return isSent;
    });
    return sending;
  }

  function plan(ms: number): void {
    if (sending === undefined && !isClosed) timer ??= setTimeout(send, ms).unref();
  }

  async function sendUntil(number: number): Promise<void> {
    while (gone() < number) if (!(await send())) return;
  }

  return {
    keep(event) {
      if (!ring.keep(event, Math.floor(now()))) return;
      newest += 1;
      plan(sendAfterMs);
    },
    send: () => sendUntil(newest),
    async close() {
      isClosed = true;
      await sendUntil(newest);
      onDrop(ring.kept.size);
    },
  };
}
