import { messageOf, ServiceError } from '../../errors.js';
import { chooseVersion, type ModelState } from './choose-version.js';
import type { Registry } from './registry.js';
import { describeLoading } from './unavailable.js';

/** One reason why a registry is not ready. */
export interface Missing {
  readonly reason: string;
  /** True if an operator must act; false if waiting is enough. */
  readonly isLasting: boolean;
}

export function findMissingModels(registry: Registry, required?: string): readonly string[] {
  return findMissing(registry, required).map(({ reason }) => reason);
}

/** `required` is a list of models, `all`, or undefined: then the default model, or any model if there is no default. */
export function findMissing(registry: Registry, required?: string): readonly Missing[] {
  const models = registry.list();
  if (registry.isStarting) return listLoading(models);
  if (models.every((model) => !canAnswer(model))) {
    const faults = models.flatMap(faultsOf);
    const isLasting = faults.every((fault) => fault.isLasting);
    return [{ reason: 'no model can answer', isLasting }, ...faults];
  }
  if (required === undefined) {
    return registry.hasDefault ? faultsFrom(() => registry.findDefault()) : [];
  }
  if (required === 'all') return models.flatMap(faultsOf);
  return required.split(',').flatMap((name) => faultsFrom(() => registry.find(name.trim())));
}

const maxListed = 20;

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

/** Whether the model answers a request without a version. */
export function canAnswer(model: ModelState): boolean {
  return findProblem(model) === undefined;
}

/** Why the model does not answer a request without a version, and the remedy; undefined if it answers. */
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
