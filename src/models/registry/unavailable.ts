import { ServiceError } from '../../errors.js';
import type { ModelState, VersionState } from './choose-version.js';

/** A loading version needs a moment. A refused or misnamed one needs a person, so it has no `Retry-After`. */
const loadingRetrySeconds = 1;
const maxListed = 20;

/**
 * Why no version answers for `selector` (an alias, a version or nothing), and the remedy. Readiness, the 503 and
 * `sardonyx check` use this text; clients may read it.
 */
export function explainUnavailable(model: ModelState, selector?: string): ServiceError {
  if (model.isStarting) return explainStart(model);
  const { name, aliases, versions } = model;
  const alias = selector ?? 'default';
  const target = alias === 'latest' ? undefined : aliases.get(alias);
  if (target !== undefined) {
    const state = versions.get(target);
    const where = `The alias ${alias} of ${name} names ${target}, which is ${describeState(state)}.`;
    return refuse(`${where} ${remedyFor(model, alias, state)}`, state?.state === 'loading');
  }
  const state = selector === undefined ? undefined : versions.get(selector);
  if (state !== undefined) {
    const where = `The version ${selector} of ${name} is ${describeState(state)}.`;
    return refuse(state.state === 'loading' ? where : `${where} ${askWhy(model)}`, state.state === 'loading');
  }
  if (model.areAliasesUnknown && selector !== 'latest') return explainUnknown(model, selector);
  return explainNone(model, selector === 'latest');
}

/** Names the versions that are loading; undefined if there are none. */
export function describeLoading({ name, versions }: ModelState): string | undefined {
  const loading = namesIn(versions, 'loading');
  if (loading.length === 0) return undefined;
  const subject = loading.length === 1 ? 'version' : 'versions';
  return `${name}: ${subject} ${listNames(loading)} ${loading.length === 1 ? 'is' : 'are'} being loaded`;
}

function explainStart(model: ModelState): ServiceError {
  const own = describeLoading(model) ?? `${model.name} is loaded, and other models are being loaded`;
  return new ServiceError('not_ready', { detail: `The server is starting. ${own}.` });
}

/** A broken file may have named any version: no other version takes its place. */
function explainUnknown({ name, aliasProblem, versions }: ModelState, selector?: string): ServiceError {
  const unknown =
    selector === undefined
      ? `The default version of ${name} is unknown`
      : `It is unknown whether ${selector} is an alias`;
  const [example = 'VERSION'] = namesIn(versions, 'ready');
  return refuse(
    `${unknown}: ${name}/${aliasProblem}. Fix the file, or request a version by its name: POST /models/${name}/versions/${example}/predict.`,
    false,
  );
}

/** The version that is proposed as `default`: the last ready one by name. */
export function suggestDefault({ versions }: ModelState): string | undefined {
  return namesIn(versions, 'ready').sort().at(-1);
}

/** The text of an `aliases.json` that adds `default` to the aliases. */
export function aliasesWithDefault(aliases: ModelState['aliases'], version: string): string {
  return JSON.stringify({ ...Object.fromEntries(aliases), default: version });
}

/** For a model without a version, without a ready one, or without an order among the ready ones. */
function explainNone(model: ModelState, isLatest: boolean): ServiceError {
  const { name, versions } = model;
  const ready = namesIn(versions, 'ready');
  const loading = namesIn(versions, 'loading');
  const suggested = suggestDefault(model);
  if (suggested !== undefined) {
    const names = `${ready.length === 1 ? 'version' : 'versions'} ${listNames(ready)} of ${name}`;
    const order = ready.length === 1 ? 'has a name without an order' : 'have no order among their names';
    const result = isLatest ? 'so none is latest' : `so ${name} has no default version`;
    const byName = `request one by its name: POST /models/${name}/versions/${suggested}/predict.`;
    const remedy = isLatest ? `R${byName.slice(1)}` : `${nameDefault(model, suggested)} Or ${byName}`;
    return refuse(`The ${names} ${order}, ${result}. ${remedy}`, false);
  }
  if (loading.length > 0) {
    return refuse(`No version of ${name} is ready yet: ${listNames(loading)} is being loaded.`, true);
  }
  if (versions.size === 0) {
    return refuse(`${name} has no version: add one with sardonyx add MODEL.onnx --name ${name}.`, false);
  }
  return refuse(`No version of ${name} can answer. ${askWhy(model)}`, false);
}

function remedyFor(model: ModelState, alias: string, state: VersionState | undefined): string {
  if (state?.state === 'loading') return 'Wait until it is loaded.';
  const why = state === undefined ? [] : [askWhy(model)];
  const suggested = suggestDefault(model);
  const mend = alias === 'default' && suggested !== undefined ? [nameDefault(model, suggested)] : [];
  const change = why.length + mend.length === 0 ? [`Change ${model.name}/aliases.json.`] : [];
  return [...why, ...mend, ...change].join(' ');
}

const nameDefault = ({ name, aliases }: ModelState, version: string) =>
  `Set the default in ${name}/aliases.json: ${aliasesWithDefault(aliases, version)}.`;

const askWhy = ({ name }: ModelState) => `GET /models/${name} says why.`;

function describeState(state: VersionState | undefined): string {
  if (state === undefined) return 'not there';
  return state.state === 'loading' ? 'being loaded' : state.state;
}

function namesIn(versions: ModelState['versions'], state: VersionState['state']): string[] {
  return [...versions].filter(([, it]) => it.state === state).map(([name]) => name);
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, maxListed);
  if (names.length > maxListed) return `${shown.join(', ')}, …`;
  return shown.length < 2 ? shown.join() : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

function refuse(detail: string, isLoading: boolean): ServiceError {
  return new ServiceError('model_unavailable', {
    detail,
    ...(isLoading && { retryAfterSeconds: loadingRetrySeconds }),
  });
}
