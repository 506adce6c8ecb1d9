import type { StartSummary } from '../cluster/messages.js';

/** The steps of a start, of one process or of several. */
export interface StartEvents {
  onListening(): void;
  onLoaded(summary: StartSummary): void;
}
