import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeManifests } from './stage.js';

/** A component of CycloneDX 1.5: the fields that this project uses. */
export interface Component {
  /** `required` or `optional`; undefined for the parts of a component. */
  readonly scope?: string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly 'bom-ref'?: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly unknown[];
  readonly evidence?: { readonly occurrences: readonly { readonly location: string }[] };
  readonly components?: readonly Component[];
}

export interface Bom {
  readonly metadata: { readonly component: Component; readonly timestamp?: string };
  readonly serialNumber?: string;
  readonly components: readonly Component[];
}

const engine = 'node_modules/onnxruntime-node';
const manual = 'node_modules/@fastify/swagger-ui';
const mit = [{ license: { id: 'MIT' } }];
/** Libraries of the engine's own build. On Windows its folder has others too, with other licences. */
const isOfEngine = /onnxruntime/;

/**
 * The CycloneDX bill of materials of an installed server: the packages that npm lists from the lock file, and two parts
 * that npm does not know: the engine's libraries by digest, and the manual's copy of Swagger UI. With a platform such
 * as `linux/arm64` it has only the packages and libraries for that platform, as the image does.
 */
export function createBom(platform?: string): Bom {
  // Docker says amd64, and Node x64.
  const target = platform?.replace('amd64', 'x64');
  // A random number and the time would make two equal releases differ; CycloneDX requires neither.
  const { serialNumber: _, metadata: given, ...bom } = listPackages();
  const { timestamp: __, ...metadata } = given;
  const { name } = readPackage('.');
  return {
    ...bom,
    // npm would name the component after the folder.
    metadata: { ...metadata, component: { ...metadata.component, type: 'application', name } },
    components: bom.components.filter(isFor(target)).map((component) => {
      const parts = partsOf(component, target);
      return parts.length === 0 ? component : { ...component, components: parts };
    }),
  };
}

/** From a lock file without development packages: `npm sbom` 11.19 would omit packages that both kinds need. */
function listPackages(): Bom {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-bom-'));
  try {
    writeManifests(folder);
    const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
    return JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface LockedPackage {
  readonly version?: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

/** Whether npm installs a package on a platform: the lock file names the systems and processors of some. */
function isFor(platform: string | undefined): (component: Component) => boolean {
  if (platform === undefined) return () => true;
  const [os = '', cpu = ''] = platform.split('/');
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  return ({ name }) => {
    const locked = packages[`node_modules/${name}`];
    return (locked?.os?.includes(os) ?? true) && (locked?.cpu?.includes(cpu) ?? true);
  };
}

function partsOf({ name }: Component, platform: string | undefined): readonly Component[] {
  if (name === 'onnxruntime-node') return listLibraries(engine, platform);
  if (name === '@fastify/swagger-ui') return [swaggerUi()];
  return [];
}

/** The engine's libraries below a package's folder, by digest. */
export function listLibraries(folder: string, platform = ''): readonly Component[] {
  const { version } = readPackage(folder);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.split(sep).join('/'))
    .filter((path) => /\.(?:node|dll|dylib|so[.\d]*)$/.test(path) && path.includes(`/${platform}`))
    .sort()
    .map((path) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const content = createHash('sha256')
        .update(readFileSync(join(folder, path)))
        .digest('hex');
      return {
        type: 'library',
        'bom-ref': `onnxruntime-node@${version}#${path}`,
        name,
        version: isOfEngine.test(name) ? version : 'unknown',
        hashes: [{ alg: 'SHA-256', content }],
        ...(isOfEngine.test(name) && { licenses: mit }),
        evidence: { occurrences: [{ location: path }] },
      };
    });
}

/** The copy of Swagger UI inside the manual's package. */
function swaggerUi(): Component {
  const name = 'swagger-ui-dist';
  const version = readPackage(manual).devDependencies?.[name] ?? 'unknown';
  return {
    type: 'library',
    'bom-ref': `${name}@${version}#static`,
    name,
    version,
    purl: `pkg:npm/${name}@${version}`,
    licenses: [{ license: { id: 'Apache-2.0' } }],
    evidence: { occurrences: [{ location: `${relative('node_modules', manual)}/static` }] },
  };
}

const readPackage = (
  folder: string,
): { name: string; version: string; devDependencies?: Record<string, string> } =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

// npx tsx scripts/release/bom.ts [linux/amd64]
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(`${JSON.stringify(createBom(process.argv[2]), undefined, 2)}\n`);
}
