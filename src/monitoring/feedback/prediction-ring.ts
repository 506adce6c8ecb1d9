import type { Prediction, Scalar } from '../../models/tasks/task.js';
import type { PredictionEvent } from '../../prediction-event.js';
import type { FeedbackOptions } from './feedback-store.js';
import { KeptPredictions } from './kept-predictions.js';
import { maxClassLength, type Outcome, type OutcomeShape } from './outcome-shape.js';

export interface KeptVersion {
  readonly model: string;
  readonly version: string;
  readonly shape: OutcomeShape;
}

export interface KeptPrediction extends KeptVersion, Outcome {
  readonly keyId: string | undefined;
  /** Seconds. */
  readonly at: number;
}

interface VersionEntry extends KeptVersion {
  /** The classes so far, if the version does not declare them. */
  readonly labels: Scalar[];
  readonly positions: Map<Scalar, number>;
}

/** Probabilities beyond this number of classes are not kept: there is no Brier score then. */
const maxProbabilities = 256;
const noVersion = -1;
/** Of a version that does not declare its classes. Predictions with one more are dropped. */
const maxLabels = 10_000;
const noLabel = -1;

/**
 * The last predictions that may get feedback: their numbers in `KeptPredictions`, and once for all of them the names of
 * versions, classes and keys.
 */
export class PredictionRing {
  readonly kept: KeptPredictions;
  readonly #options: Pick<FeedbackOptions, 'onDrop' | 'shapeOf'>;
  readonly #versions: VersionEntry[] = [];
  /** By manifest, which is one object for each load of a version. */
  readonly #positions = new WeakMap<object, number>();
  readonly #keyIds: (string | undefined)[] = [undefined];
  readonly #keys = new Map<string | undefined, number>([[undefined, 0]]);

  constructor(
    capacity: number,
    options: Pick<FeedbackOptions, 'onDrop' | 'shapeOf'>,
    onEvict: (slot: number, at: number) => void,
  ) {
    this.kept = new KeptPredictions(capacity, onEvict);
    this.#options = options;
  }

  /** Keeps a prediction, unless its version can get no feedback. Returns whether it is kept. */
  keep(event: PredictionEvent, at: number): boolean {
    const position = this.#positions.get(event.manifest) ?? this.#addVersion(event);
    if (position === noVersion) return false;
    const entry = this.#versions[position] as VersionEntry;
    const value = event.answer?.value as Prediction;
    const key = this.#keys.get(event.keyId) ?? this.#addKey(event.keyId);
    const { kept } = this;
    const { predictionId: id } = event;
    if (entry.shape.kind === 'classes') {
      const label = value.prediction as Scalar;
      const predicted = entry.positions.get(label) ?? addLabel(entry, label);
      if (predicted === noLabel) {
        this.#options.onDrop(1);
        return false;
      }
      const all = value.probabilities;
      const length =
        all === undefined || all.length > Math.min(maxProbabilities, kept.maxValues) ? 0 : all.length;
      const start = kept.keep(id, at, position, key, predicted, length);
      for (let k = 0; k < length; k += 1) kept.put(start + k, all?.[k] as number);
      return true;
    }
    const { names } = entry.shape;
    const length = names?.length ?? 1;
    if (length > kept.maxValues) return false;
    const start = kept.keep(id, at, position, key, -1, length);
    if (names === undefined) kept.put(start, value.prediction as number);
    else {
      const numbers = value.prediction as Readonly<Record<string, number>>;
      for (let k = 0; k < length; k += 1) kept.put(start + k, numbers[names[k] as string] as number);
    }
    return true;
  }

  read(slot: number): KeptPrediction {
    const { version, key, predicted, at, values } = this.kept.read(slot);
    const { labels, model, version: name, shape } = this.#versions[version] as VersionEntry;
    return {
      model,
      version: name,
      shape,
      predicted: labels[predicted],
      values,
      keyId: this.#keyIds[key],
      at,
    };
  }

  #addVersion(event: PredictionEvent): number {
    const shape = this.#options.shapeOf(event);
    let position = noVersion;
    if (shape !== undefined) {
      const labels = shape.kind === 'classes' ? [...(shape.classes ?? [])] : [];
      const positions = new Map(labels.map((label, k) => [label, k]));
      const { model, version } = event;
      position = this.#versions.push({ model, version, shape, labels, positions }) - 1;
    }
    this.#positions.set(event.manifest, position);
    return position;
  }

  #addKey(keyId: string | undefined): number {
    const key = this.#keyIds.push(keyId) - 1;
    this.#keys.set(keyId, key);
    return key;
  }
}

function addLabel({ labels, positions }: VersionEntry, label: Scalar): number {
  if (labels.length >= maxLabels || (typeof label === 'string' && label.length > maxClassLength))
    return noLabel;
  const position = labels.push(label) - 1;
  positions.set(label, position);
  return position;
}
