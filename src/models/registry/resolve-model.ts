import { ServiceError } from '../../errors.js';
import { describeValue, hideKeys } from '../../text/describe-value.js';
import type { AliasFile } from './aliases.js';
import { type ModelState, modelNotFound } from './choose-version.js';

export interface ModelNames {
  readonly models: ReadonlyMap<string, ModelState>;
  readonly aliases: AliasFile;
  /** The configured model of plain `/predict`. It goes before the alias `default`. */
  readonly defaultModel?: string | undefined;
}

const maxListed = 20;

/** By name or alias. Throws `model_not_found`, or `model_unavailable` for an alias whose model does not exist. */
export function findModel({ models, aliases }: ModelNames, name: string): ModelState {
  const found = models.get(name);
  if (found !== undefined) return found;
  const target = aliases.aliases.get(name);
  if (target !== undefined) return findAliased(models, name, target);
  if (aliases.isUnknown) throw unknownAlias(aliases, `whether ${describeValue(hideKeys(name))} is an alias`);
  throw modelNotFound(name, [...models.keys()]);
}

/**
 * The model of plain `/predict`: the configured one, else the one behind the alias `default`, else the only one.
 * Throws `model_not_found`, or `model_unavailable` for an alias whose model does not exist and for a broken file.
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

/** The model behind a name or an alias, even if no such model exists. */
export function resolveModel({ models, aliases }: ModelNames, name: string): string {
  return models.has(name) ? name : (aliases.aliases.get(name) ?? name);
}

export function defaultModelName(names: ModelNames): string | undefined {
  const { models, aliases, defaultModel = aliases.aliases.get('default') } = names;
  if (defaultModel !== undefined) return resolveModel(names, defaultModel);
  return models.size === 1 ? [...models.keys()][0] : undefined;
}

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

function unknownAlias({ problem }: AliasFile, question: string): ServiceError {
  return new ServiceError('model_unavailable', {
    detail: `It is unknown ${question}: ${problem}. Fix the file, or request a model by its name.`,
  });
}
