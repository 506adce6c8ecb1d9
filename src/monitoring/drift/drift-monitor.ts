import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { PredictionEvent } from '../../prediction-event.js';
import { listColumns } from './drift-column.js';
import { DriftWindow, type WindowSize } from './drift-window.js';

/** The version of an event, while it is loaded. */
export type FindVersion = (event: PredictionEvent) => LoadedVersion | undefined;

/** Keeps a window of recent rows for each version that has a reference. */
export class DriftMonitor {
  readonly #size: WindowSize;
  readonly #find: FindVersion;
  /** By manifest, which is one object for each load of a version; null if the version has no reference. */
  readonly #windows = new WeakMap<object, DriftWindow | null>();

  constructor(size: WindowSize, find: FindVersion) {
    this.#size = size;
    this.#find = find;
  }

  /** Rows of jobs do not count: they may be of any time. Nor do rows of the console, and rows that got no answer. */
  observe(event: PredictionEvent): void {
    const { row, answer, manifest, source } = event;
    if (row === undefined || answer === undefined || source === 'job' || source === 'console') return;
    let window = this.#windows.get(manifest);
    if (window === undefined) {
      const loaded = this.#find(event);
      // Its model is being removed.
      if (loaded === undefined) return;
      window = this.#create(loaded);
    }
    window?.observe(row, answer, Date.now());
  }

  /** Undefined if the version has no reference. */
  windowOf(loaded: LoadedVersion): DriftWindow | undefined {
    const known = this.#windows.get(loaded.manifest);
    return (known === undefined ? this.#create(loaded) : known) ?? undefined;
  }

  #create({ manifest, reference }: LoadedVersion): DriftWindow | null {
    const columns = reference === undefined ? [] : listColumns(manifest, reference).columns;
    const window = columns.length === 0 ? null : new DriftWindow(columns, this.#size);
    this.#windows.set(manifest, window);
    return window;
  }
}
