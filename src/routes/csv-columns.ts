import type { Job } from '../jobs/queue/job.js';
import { type ResultColumn, refuseTensors } from '../jobs/queue/result-csv.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import type { Registry } from '../models/registry/registry.js';
import { listAnswerColumns } from '../models/tasks/answer-columns.js';

/** The columns of a version's answers, whatever its rows are. Throws `invalid_request` for answers that are tensors. */
export function columnsOf({ task }: LoadedVersion): readonly ResultColumn[] {
  if (task.answerShape === undefined) throw refuseTensors();
  return listAnswerColumns(task.answerShape);
}

/** Undefined if the version of the job is gone, or is not loaded. Throws as `columnsOf` does. */
export function columnsOfJob(registry: Registry, job: Job): readonly ResultColumn[] | undefined {
  const loaded = lend(registry, job);
  try {
    return loaded?.identity === job.identity ? columnsOf(loaded) : undefined;
  } finally {
    loaded?.release();
  }
}

function lend(registry: Registry, { model, version }: Job): LoadedVersion | undefined {
  try {
    return registry.lease(model, version);
  } catch {
    return undefined;
  }
}
