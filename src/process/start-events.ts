import type { StartSummary } from '../cluster/messages.js';

/** Steps of a start. With several workers each step is reached once all workers have reached it. */
export interface StartEvents {
  onListening(): void;
  onLoaded(summary: StartSummary): void;
}
