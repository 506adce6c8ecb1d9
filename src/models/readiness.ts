import { messageOf } from '../errors.js';
import type { Registry } from './registry.js';
import { chooseVersion, type ModelState } from './routing.js';

/** Why the models of a registry are not enough to be ready; none where they are. */
export function findMissingModels(registry: Registry, required?: string): readonly string[] {
  const models = registry.list();
  if (models.every((model) => !canAnswer(model))) return ['no model can answer', ...models.flatMap(faultsOf)];
  if (required === undefined) {
    // Without a default there is no model that plain /predict needs, and one that answers is enough.
    const fallback = findFallback(registry);
    return fallback === undefined ? [] : faultsOf(fallback);
  }
  if (required === 'all') return models.flatMap(faultsOf);
  return required.split(',').flatMap((name) => {
    try {
      return faultsOf(registry.find(name.trim()));
    } catch (error) {
      return [messageOf(error)];
    }
  });
}

/** Whether who asks for the model alone gets an answer. */
export function canAnswer(model: ModelState): boolean {
  return faultsOf(model).length === 0;
}

function findFallback(registry: Registry): ModelState | string | undefined {
  return registry.hasDefault ? attempt(() => registry.findDefault()) : undefined;
}

function faultsOf(model: ModelState | string): readonly string[] {
  if (typeof model === 'string') return [model];
  const chosen = attempt(() => chooseVersion(model));
  const fault = typeof chosen === 'string' ? chosen : chosen.fault;
  return fault === undefined ? [] : [`${model.name}: ${fault}`];
}

function attempt<T>(get: () => T): T | string {
  try {
    return get();
  } catch (error) {
    return messageOf(error);
  }
}
