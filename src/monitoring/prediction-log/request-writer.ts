import type { Feature, Manifest } from '../../models/manifest/manifest.js';
import { hideKeys, hidePlainKeys } from '../../text/describe-value.js';
import { hashValue, type RedactionRules, type Treatment, treatmentOf } from './redaction.js';

/** Writes the features of one version as the members of a JSON object. What does not depend on the row is made once. */
export interface RequestWriter {
  /** The names of features that are not in plain text, as a member of the line; empty if there are none. */
  readonly redactedJson: string;
  /** A row that the check has accepted. An absent feature gets its default, and text like an API key is hidden. */
  writeRow(row: Readonly<Record<string, unknown>>): string;
  /**
   * A body that the check has refused, and that is hostile: only known features, only scalars, texts cut at
   * `maxRefusedCharacters`, secrets that look like API keys hidden.
   */
  writeRefused(body: unknown): string;
}

interface Member {
  readonly name: string;
  /** `"name":`. */
  readonly key: string;
  readonly treatment: Treatment;
  /** The text for an absent feature; undefined without a default. */
  readonly absent: string | undefined;
}

const maxRefusedCharacters = 64;
/** What is decoded to find keys: decoding makes a text shorter, and one of megabytes would take a second. */
const maxDecodedCharacters = 1_024;
const masked = '"***"';

export function createRequestWriter(
  { name: model, features = [] }: Pick<Manifest, 'name' | 'features'>,
  rules: RedactionRules,
): RequestWriter {
  const all = features.map((feature) => toMember(feature, treatmentOf(rules, model, feature)));
  const members = all.filter(({ treatment }) => treatment !== 'omit');
  const redacted = all.filter(({ treatment }) => treatment !== 'plain').map(({ name }) => name);
  const count = members.length;
  return {
    redactedJson: redacted.length === 0 ? '' : `,"redacted":${JSON.stringify(redacted)}`,
    writeRow(row) {
      let text = '';
      for (let k = 0; k < count; k += 1) {
        const member = members[k] as Member;
        const value = row[member.name];
        let json: string | undefined;
        if (value === undefined) json = member.absent;
        else if (typeof value === 'number') json = `${value}`;
        else json = JSON.stringify(typeof value === 'string' ? hidePlainKeys(value) : value);
        if (json === undefined) continue;
        if (member.treatment !== 'plain') json = redact(member, json);
        text += text === '' ? member.key + json : `,${member.key}${json}`;
      }
      return text;
    },
    writeRefused(body) {
      if (typeof body !== 'object' || body === null || Array.isArray(body)) return '';
      const parts: string[] = [];
      for (const member of members) {
        if (!Object.hasOwn(body, member.name)) continue;
        const value = (body as Record<string, unknown>)[member.name];
        if (typeof value === 'object' && value !== null) continue;
        const bounded = typeof value === 'string' ? cutRefused(value) : value;
        const json = JSON.stringify(bounded);
        if (json !== undefined) parts.push(member.key + redact(member, json));
      }
      return parts.join();
    },
  };

  function toMember(feature: Feature, treatment: Treatment): Member {
    const absent = feature.default === undefined ? undefined : JSON.stringify(feature.default);
    return { name: feature.name, key: `${JSON.stringify(feature.name)}:`, treatment, absent };
  }

  function redact({ name, treatment }: Member, json: string): string {
    if (treatment === 'mask') return masked;
    return treatment === 'hash' ? hashValue(rules.hashKey ?? '', name, json) : json;
  }
}

function cutRefused(value: string): string {
  return hideKeys(value.slice(0, maxDecodedCharacters)).slice(0, maxRefusedCharacters);
}
