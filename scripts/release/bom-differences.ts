import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Bom, createBom, listLibraries } from './bom.js';

/**
 * Compares an installed server with its bill of materials, and returns one line per difference: packages by name and
 * version, the engine's libraries by digest. An optional package may be absent: npm installs the one for the platform.
 * `root` is the folder with `node_modules`.
 */
export function findDifferences(bom: Bom, root: string): readonly string[] {
  const packages = bom.components.map(describePackage);
  const optional = bom.components.filter(({ scope }) => scope === 'optional').map(describePackage);
  const engine = bom.components.find(({ name }) => name === 'onnxruntime-node');
  const listed = [...packages, ...(engine?.components ?? []).map(describeLibrary)];
  const libraries = listLibraries(join(root, 'node_modules/onnxruntime-node')).map(describeLibrary);
  const found = [...listPackages(join(root, 'node_modules')), ...libraries];
  return [
    ...without(found, listed).map((each) => `installed, but not in the bill of materials: ${each}`),
    ...without(listed, [...found, ...optional]).map(
      (each) => `in the bill of materials, but not installed: ${each}`,
    ),
  ];
}

const describePackage = ({ name, version }: Bom['components'][number]) => `${name} ${version}`;

const describeLibrary = ({ evidence, hashes }: ReturnType<typeof listLibraries>[number]) =>
  `${evidence?.occurrences[0]?.location} ${hashes?.[0]?.content}`;

const without = (all: readonly string[], known: readonly string[]): readonly string[] =>
  [...new Set(all)].filter((each) => !known.includes(each)).sort();

/** All packages below `node_modules`, read from their own `package.json`. */
function listPackages(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap(({ name }) => {
      const path = join(folder, name);
      if (name.startsWith('@')) return listPackages(path);
      const { name: own, version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
      const inner = readdirSync(path).includes('node_modules')
        ? listPackages(join(path, 'node_modules'))
        : [];
      return [`${own} ${version}`, ...inner];
    });
}

// npx tsx scripts/release/bom-differences.ts ROOT [linux/amd64]: exit code 1 if there are differences.
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , root = '.', platform] = process.argv;
  const differences = findDifferences(createBom(platform), root);
  for (const line of differences) process.stdout.write(`${line}\n`);
  process.exitCode = differences.length === 0 ? 0 : 1;
}
