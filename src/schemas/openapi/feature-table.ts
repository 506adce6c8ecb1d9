import type { Manifest } from '../../models/manifest/manifest.js';

type Feature = NonNullable<Manifest['features']>[number];

/** The features of a manifest as a Markdown table. */
export function describeFeatures({ features = [] }: Manifest): string {
  if (features.length === 0) return '';
  const rows = features.map((it) => [
    `\`${it.name}\``,
    it.type,
    describeRange(it),
    it.unit ?? '',
    it.description ?? '',
  ]);
  return [['feature', 'type', 'takes', 'unit', ''], ['-', '-', '-', '-', '-'], ...rows]
    .map(toLine)
    .join('\n');
}

function describeRange({ minimum, maximum, enum: categories, nullable, ...rest }: Feature): string {
  return [
    categories?.join(', '),
    minimum !== undefined && maximum !== undefined && `${minimum} to ${maximum}`,
    minimum !== undefined && maximum === undefined && `at least ${minimum}`,
    minimum === undefined && maximum !== undefined && `at most ${maximum}`,
    nullable && 'null',
    rest.default !== undefined && `${JSON.stringify(rest.default)} when left out`,
  ]
    .filter((part) => typeof part === 'string')
    .join('; ');
}

function toLine(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replace(/\s+/g, ' ')).join(' | ')} |`;
}
