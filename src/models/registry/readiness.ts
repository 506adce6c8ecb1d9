import { messageOf, ServiceError } from '../../errors.js';
import { chooseVersion, type ModelState } from './choose-version.js';
import type { Registry } from './registry.js';
import { describeLoading } from './unavailable.js';

/** One thing that keeps a registry from being ready. */
export interface Missing {
  readonly reason: string;
  /** Whether a person must mend it: waiting does not help. */
  readonly isLasting: boolean;
}

/** Why the models of a registry are not enough to be ready, in words alone; none where they are. */
export function findMissingModels(registry: Registry, required?: string): readonly string[] {
  return findMissing(registry, required).map(({ reason }) => reason);
}

/** The same, and of each whether it passes by itself. */
export function findMissing(registry: Registry, required?: string): readonly Missing[] {
  const models = registry.list();
  if (registry.isStarting) return listLoading(models);
  if (models.every((model) => !canAnswer(model))) {
    const faults = models.flatMap(faultsOf);
    const isLasting = faults.every((fault) => fault.isLasting);
    return [{ reason: 'no model can answer', isLasting }, ...faults];
  }
  if (required === undefined) {
    // Without a default there is no model that plain /predict needs, and one that answers is enough.
    return registry.hasDefault ? faultsFrom(() => registry.findDefault()) : [];
  }
  if (required === 'all') return models.flatMap(faultsOf);
  return required.split(',').flatMap((name) => faultsFrom(() => registry.find(name.trim())));
}

const maxListed = 20;

/** What the start waits for. */
function listLoading(models: readonly ModelState[]): readonly Missing[] {
  const loading = models.flatMap((model) => describeLoading(model) ?? []);
  const more = loading.length - maxListed;
  const reasons = [
    ...loading.slice(0, maxListed),
    ...(more > 0 ? [`and ${more} more models are being loaded`] : []),
    ...(loading.length === 0 ? ['the models are being loaded'] : []),
  ];
  return reasons.map((reason) => ({ reason, isLasting: false }));
}

/** Whether a request for the model alone gets an answer. */
export function canAnswer(model: ModelState): boolean {
  return findProblem(model) === undefined;
}

/** Why a request for the model alone gets no answer, and what mends that; undefined where it gets one. */
export function findProblem(model: ModelState): Missing | undefined {
  try {
    const { fault } = chooseVersion(model);
    return fault === undefined ? undefined : { reason: fault, isLasting: false };
  } catch (error) {
    return toMissing(error);
  }
}

function faultsOf(model: ModelState): readonly Missing[] {
  const problem = findProblem(model);
  return problem === undefined ? [] : [{ ...problem, reason: `${model.name}: ${problem.reason}` }];
}

function faultsFrom(find: () => ModelState): readonly Missing[] {
  try {
    return faultsOf(find());
  } catch (error) {
    return [toMissing(error)];
  }
}

function toMissing(error: unknown): Missing {
  const isPassing = error instanceof ServiceError && error.headers['retry-after'] !== undefined;
  return { reason: messageOf(error), isLasting: !isPassing };
}
