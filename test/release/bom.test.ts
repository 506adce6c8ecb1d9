import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { createBom } from '../../scripts/release/bom.js';
import { readLock } from '../../scripts/release/lock.js';

/** The official schemas, from CycloneDX's own library. */
const schemas = join(
  dirname(createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json')),
  'res/schema',
);
const readSchema = (name: string) => ({
  ...JSON.parse(readFileSync(join(schemas, name), 'utf8')),
  // The other schemas refer to it by its file name.
  $id: `http://cyclonedx.org/schema/${name}`,
});
const ajv = new Ajv({
  strict: false,
  allErrors: true,
  schemas: [readSchema('spdx.SNAPSHOT.schema.json'), readSchema('jsf-0.82.SNAPSHOT.schema.json')],
  formats: {
    uri: (text: string) => URL.canParse(text),
    'date-time': (text: string) => !Number.isNaN(Date.parse(text)),
    'iri-reference': (text: string) => URL.canParse(text, 'https://example.com'),
    'idn-email': (text: string) => text.includes('@'),
  },
});
const validate = ajv.compile(readSchema('bom-1.5.SNAPSHOT.schema.json'));
const bom = createBom();
const partsOf = (name: string, from = bom) =>
  from.components.find((component) => component.name === name)?.components ?? [];

describe('the bill of materials', () => {
  test('is valid CycloneDX 1.5', () => {
    expect(validate(bom), ajv.errorsText(validate.errors)).toBe(true);
    expect(validate({ ...bom, components: [{ name: 'x' }] })).toBe(false);
  });

  test('is identical each time that it is created', () => {
    expect(createBom()).toEqual(bom);
  });

  test('has the name and version of package.json', () => {
    const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(bom.metadata.component).toMatchObject({ type: 'application', name, version });
  });

  test('has each package of the lock file, with its digest and licence, and no other', () => {
    const digestOf = (integrity = '') =>
      Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
    const locked = new Map(
      readLock().map((it) => [`pkg:npm/${it.name.replace('@', '%40')}@${it.version}`, it]),
    );
    expect(bom.components.map(({ purl }) => purl).sort()).toEqual([...locked.keys()].sort());
    for (const { purl = '', hashes, licenses } of bom.components) {
      expect(hashes, purl).toEqual([{ alg: 'SHA-512', content: digestOf(locked.get(purl)?.integrity) }]);
      expect(licenses, purl).toHaveLength(1);
    }
  });

  test("has the engine's libraries: all of them, or those of a given platform", () => {
    const folder = 'node_modules/onnxruntime-node/bin/napi-v6';
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
    expect(partsOf('onnxruntime-node')).toHaveLength(files.length);
    for (const [platform, path] of [
      ['linux/amd64', 'linux/x64'],
      ['linux/arm64', 'linux/arm64'],
    ]) {
      const places = partsOf('onnxruntime-node', createBom(platform)).map(
        ({ evidence }) => evidence?.occurrences[0]?.location,
      );
      expect(places).toEqual([
        `bin/napi-v6/${path}/libonnxruntime.so.1`,
        `bin/napi-v6/${path}/onnxruntime_binding.node`,
      ]);
    }
  });

  test("has the Swagger UI of the manual's package", () => {
    const [{ name, version }] = partsOf('@fastify/swagger-ui') as [(typeof bom.components)[number]];
    expect(name).toBe('swagger-ui-dist');
    const script = readFileSync('node_modules/@fastify/swagger-ui/static/swagger-ui-bundle.js', 'utf8');
    expect(script).toContain(version);
  });
});
