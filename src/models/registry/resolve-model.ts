import { ServiceError } from '../../errors.js';
import { describeValue, hideKeys } from '../../text/describe-value.js';
import type { AliasFile } from './aliases.js';
import { type ModelState, modelNotFound } from './choose-version.js';

/** The models and aliases of a registry at one moment, and what the configuration says. */
export interface ModelNames {
  readonly models: ReadonlyMap<string, ModelState>;
  readonly aliases: AliasFile;
  /** The model that plain `/predict` means, before any alias. */
  readonly defaultModel?: string | undefined;
}

const maxListed = 20;

/** A model by its name or alias. Throws `model_not_found`, or `model_unavailable` for an alias of nothing. */
export function findModel({ models, aliases }: ModelNames, name: string): ModelState {
  const found = models.get(name);
  if (found !== undefined) return found;
  const target = aliases.aliases.get(name);
  if (target !== undefined) return findAliased(models, name, target);
  if (aliases.isUnknown) throw unknownAlias(aliases, `whether ${describeValue(hideKeys(name))} is an alias`);
  throw modelNotFound(name, [...models.keys()]);
}

/**
 * The model that plain `/predict` means: the configured one, else the alias `default`, else the only one.
 * Throws `model_not_found` that lists them, or `model_unavailable` for an alias of nothing and for a broken file.
 */
export function findDefaultModel(names: ModelNames): ModelState {
  const { models, aliases, defaultModel } = names;
  if (defaultModel !== undefined) return findModel(names, defaultModel);
  const target = aliases.aliases.get('default');
  if (target !== undefined) return findAliased(models, 'default', target);
  const [only] = models.values();
  if (models.size === 1 && only !== undefined) return only;
  if (aliases.isUnknown) throw unknownAlias(aliases, 'which model is the default');
  throw new ServiceError('model_not_found', {
    detail:
      models.size === 0
        ? 'No model is loaded.'
        : `No model is the default. POST /models/{model}/predict with one of ${[...models.keys()].slice(0, maxListed).join(', ')}.`,
  });
}

/** The model behind a name or an alias, whether it is there or not. */
export function resolveModel({ models, aliases }: ModelNames, name: string): string {
  return models.has(name) ? name : (aliases.aliases.get(name) ?? name);
}

/** The model that plain `/predict` means, whether it is there or not; undefined where nothing says it. */
export function defaultModelName(names: ModelNames): string | undefined {
  const { models, aliases, defaultModel = aliases.aliases.get('default') } = names;
  if (defaultModel !== undefined) return resolveModel(names, defaultModel);
  return models.size === 1 ? [...models.keys()][0] : undefined;
}

/** Whether something says what plain `/predict` means, or may do so; that it can answer is another matter. */
export function hasDefaultModel({ models, aliases, defaultModel }: ModelNames): boolean {
  return (
    defaultModel !== undefined ||
    aliases.aliases.has('default') ||
    aliases.isUnknown === true ||
    models.size === 1
  );
}

function findAliased(models: ModelNames['models'], alias: string, target: string): ModelState {
  const found = models.get(target);
  if (found !== undefined) return found;
  throw new ServiceError('model_unavailable', {
    detail: `${alias} is an alias of ${target}, which is not there.`,
  });
}

function unknownAlias({ problem }: AliasFile, asked: string): ServiceError {
  return new ServiceError('model_unavailable', {
    detail: `It is not known ${asked}: ${problem}. Mend the file, or ask for a model by its name.`,
  });
}
