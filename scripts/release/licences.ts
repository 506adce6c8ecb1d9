import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LockedPackage } from './lock.js';

/** SPDX identifiers of licences that require only their text and the names of the authors. */
const allowed: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
]);

/** Whether a licence, or one of its alternatives, is allowed. For any other licence a person has to decide. */
export function isAllowed(license: string | undefined): boolean {
  const choices = license?.replace(/^\((.*)\)$/, '$1').split(' OR ') ?? [];
  return choices.some((each) => allowed.has(each));
}

/** All licences of an installed server: a list, and each text once with the names of its packages. */
export function describeLicences(packages: readonly LockedPackage[]): string {
  const list = new Set(packages.map((it) => `${label(it)}: ${it.license}`));
  const texts = new Map<string, Set<string>>();
  for (const it of packages) {
    for (const text of readTexts(it.path)) texts.set(text, (texts.get(text) ?? new Set()).add(label(it)));
  }
  return [
    'Packages that an installed Sardonyx consists of, with their licences (SPDX).',
    'onnxruntime-node and onnxruntime-common have no licence file: their licence is MIT, Copyright (c) Microsoft',
    'Corporation. Their libraries contain further works, listed in ThirdPartyNotices.txt of microsoft/onnxruntime.',
    'The packages of @msgpackr-extract are builds of msgpackr-extract, and have its licence.',
    '',
    ...[...list].sort(),
    ...[...texts].flatMap(([text, of]) => [
      '',
      '-'.repeat(80),
      `Licence of ${[...of].sort().join(', ')}:`,
      '',
      text,
    ]),
    '',
  ].join('\n');
}

const label = ({ name, version }: LockedPackage) => `${name} ${version}`;

/** The texts of licences and notices in a package's folder. A package for other machines is not installed. */
export function readTexts(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^(licen[cs]e|copying|notice)/i.test(name))
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8').trim().replaceAll('\r\n', '\n'));
}
