import { RefusedError, ServiceError } from '../../errors.js';
import type { Reference } from '../../models/examples/reference.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import { openInput } from '../batch/input/batch-input.js';
import { createLayout } from '../batch/output/batch-output.js';
import type { BatchPlan } from '../batch/plan/batch-plan.js';
import type { InputRow } from '../batch/rows/batch-row.js';
import { runRows } from '../batch/run-rows.js';
import type { CliContext } from '../terminal/command.js';
import { ReferenceBuilder } from './reference-builder.js';

export interface Profile {
  readonly reference: Reference;
  readonly failed: number;
  /** Why the first row that failed did. */
  readonly firstFailure: string | undefined;
}

/** Runs the rows of a file through a version. Resolves with `stopped` once `signal` is aborted. */
export async function runProfile(
  plan: BatchPlan,
  loaded: LoadedVersion,
  stdin: CliContext['stdin'],
  signal: AbortSignal,
): Promise<Profile | 'stopped'> {
  if (loaded.manifest.features === undefined)
    throw new RefusedError(`${loaded.name} takes tensors, and drift compares features only`);
  const input = await openInput(plan, stdin, loaded);
  const builder = new ReferenceBuilder(loaded);
  const reading: InputRow[] = [];
  let [failed, firstFailure]: [number, string | undefined] = [0, undefined];
  async function* remember(rows: AsyncIterable<readonly InputRow[]>): AsyncGenerator<readonly InputRow[]> {
    for await (const some of rows) {
      for (const row of some) reading.push(row);
      yield some;
    }
  }
  try {
    const { splitter } = createLayout(plan, input.types, loaded);
    const isWhole = await runRows(loaded, remember(input.read(splitter, 0)), 0, signal, async (answered) => {
      const rows = reading.splice(0, answered.length);
      for (const [k, { outcome, index }] of answered.entries()) {
        const row = rows[k] as InputRow;
        if (outcome instanceof ServiceError || 'error' in row) {
          failed += 1;
          firstFailure ??= `row ${index}: ${describe('error' in row ? row.error : outcome)}`;
        } else builder.add(row.body as Readonly<Record<string, unknown>>, outcome);
      }
    });
    if (!isWhole) return 'stopped';
  } finally {
    await input.close();
  }
  return { reference: builder.finish(), failed, firstFailure };
}

function describe(error: unknown): string {
  if (!(error instanceof ServiceError)) return 'it has no answer';
  const [problem] = error.problems ?? [];
  return problem === undefined ? error.message : `${problem.pointer} ${problem.message}`.trimStart();
}
