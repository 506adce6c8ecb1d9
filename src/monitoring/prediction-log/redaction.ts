import { createHmac } from 'node:crypto';
import type { Feature } from '../../models/manifest/manifest.js';

/** Which features are left out, hashed or masked: each name is `feature` or `model.feature`. */
export interface RedactionRules {
  readonly omit: readonly string[];
  readonly hash: readonly string[];
  readonly mask: readonly string[];
  /** The secret of the HMAC. Needed if `hash` has a name. */
  readonly hashKey?: string | undefined;
}

export type Treatment = 'plain' | 'omit' | 'hash' | 'mask';

/**
 * What the log does with a feature. If several rules name it, the strictest wins: omit, then hash, then mask. A feature
 * that its manifest calls sensitive is left out, unless a rule names it.
 */
export function treatmentOf(rules: RedactionRules, model: string, feature: Feature): Treatment {
  const { name, sensitive } = feature;
  const isIn = (list: readonly string[]) => list.includes(name) || list.includes(`${model}.${name}`);
  if (isIn(rules.omit)) return 'omit';
  if (isIn(rules.hash)) return 'hash';
  if (isIn(rules.mask)) return 'mask';
  return sensitive === true ? 'omit' : 'plain';
}

/** The rules that name no feature of these models: probably misspelt, so that values would be logged. */
export function findUnusedRules(
  rules: RedactionRules,
  models: readonly { readonly name: string; readonly features: readonly Feature[] }[],
): readonly string[] {
  const known = new Set(
    models.flatMap(({ name, features }) => features.flatMap((it) => [it.name, `${name}.${it.name}`])),
  );
  return [...new Set([...rules.omit, ...rules.hash, ...rules.mask])].filter((name) => !known.has(name));
}

/**
 * HMAC-SHA-256 (RFC 2104) of a feature's name and value, as a JSON string. Equal values of features with one name have
 * equal hashes in all models, so that rows can be joined.
 */
export function hashValue(key: string, feature: string, valueJson: string): string {
  const digest = createHmac('sha256', key).update(`${feature}\0${valueJson}`).digest('hex');
  return `"hmac-sha256:${digest}"`;
}
