import type { PredictionEvent, TurnCounts } from '../../prediction-event.js';

type Counts = { -readonly [Key in keyof TurnCounts]: TurnCounts[Key] } & {
  statuses: Record<string, number>;
  runs: { queueMs: number; runMs: number; rows: number }[];
};

/** Sums up the events of rows that one process predicts, for the metrics of another one. */
export class TurnCollector {
  readonly turns: Counts[] = [];

  /** The rows of a turn come in sequence, and have one latency. */
  add({ status, latencyMs, timing }: PredictionEvent): void {
    let turn = this.turns.at(-1);
    if (turn === undefined || turn.latencyMs !== latencyMs) {
      turn = { latencyMs, statuses: {}, runs: [] };
      this.turns.push(turn);
    }
    turn.statuses[status] = (turn.statuses[status] ?? 0) + 1;
    // The first row of a run stands for the run.
    for (const { batchIndex, queueMs, runMs, batchRows } of timing?.runs ?? (timing ? [timing] : []))
      if (batchIndex === 0) turn.runs.push({ queueMs, runMs, rows: batchRows });
  }
}
