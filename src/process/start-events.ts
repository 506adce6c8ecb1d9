import type { StartSummary } from '../workers/worker-message.js';

/** The steps of a start, of one process or of several. */
export interface StartEvents {
  onListening(): void;
  onLoaded(summary: StartSummary): void;
}
