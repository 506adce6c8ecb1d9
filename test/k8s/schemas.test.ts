import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseObjects, provideKustomize, render, renderWith } from './kustomize.js';
import type { KubeObject } from './objects.js';
import { additions } from './page.js';
import { installValidators } from './validators.js';

const kustomize = provideKustomize();
const validators = kustomize.missing === undefined ? installValidators() : kustomize;
const versions = ['1.31', '1.34', '1.37'];
const temp = mkdtempSync(join(tmpdir(), 'sardonyx-schemas-'));
afterAll(() => rmSync(temp, { recursive: true }));

/** Rules of checkov that we break on purpose. */
const accepted: Readonly<Record<string, string>> = {
  CKV_K8S_43: 'a digest is known where the image was built: an overlay of a user sets it',
  CKV_K8S_15: 'a tag is never given twice, so that a node which has the image need not reach the registry',
  CKV_K8S_40: 'the uid of the image is 1000',
  CKV_K8S_35: 'the password of Redis is part of an address; rclone reads its remote from variables',
};

if (kustomize.missing !== undefined || validators.missing !== undefined) {
  test.skip(`the objects fit the schemas of Kubernetes: ${validators.missing}`, () => undefined);
} else {
  const { command } = kustomize;
  const { folder } = validators;
  const texts: Readonly<Record<string, string>> = Object.fromEntries([
    ...readdirSync('k8s/overlays').map((name) => [name, render(command, join('k8s/overlays', name))]),
    // Each component alone, since the sources of models exclude each other.
    ...readdirSync('k8s/components').map((name) => [name, renderWith(command, [name])]),
    ...additions.map(({ title, text }) => [title, renderWith(command, ['models-image-copy'], text)]),
  ]);
  const files = Object.entries(texts).map(([name, text]) => {
    const file = join(temp, `${name}.yaml`);
    writeFileSync(file, text);
    return file;
  });
  const run = (file: string, ...args: string[]) =>
    spawnSync(file, args, { cwd: folder, encoding: 'utf8', timeout: 120_000, maxBuffer: 64e6 });
  const ofOperators = ['ServiceMonitor', 'PodMonitor', 'PrometheusRule', 'ScaledObject'];
  /** KEDA scales the pods of the API, and the workers. */
  const objectsOfOperators = ofOperators.length + 1;

  test.each(versions)(
    'every object fits the strict schemas of Kubernetes %s',
    (version) => {
      const { status, stdout, stderr } = run(
        'python/bin/kubernetes-validate',
        ...['--kubernetes-version', version, '--strict'],
        ...files,
      );
      expect(status, stdout + stderr).toBe(0);
      const lines = (stdout + stderr).split('\n');
      const passed = lines.filter((line) =>
        /^INFO .* passed for resource .* against version/.test(line),
      ).length;
      const unknown = lines.filter((line) => line.startsWith('WARN'));
      const objects = Object.values(texts).flatMap(parseObjects);
      expect(passed + unknown.length).toBe(objects.length);
      expect(passed).toBeGreaterThan(80);
      for (const line of unknown) expect(ofOperators).toContain(/kind (\w+) /.exec(line)?.[1]);
      expect(unknown.length).toBe(objectsOfOperators);
    },
    120_000,
  );

  test('a key that is in no schema is reported', () => {
    const file = join(temp, 'wrong.yaml');
    writeFileSync(file, (texts['dev'] as string).replace('timeoutSeconds', 'timeoutSecond'));
    const { status, stdout, stderr } = run('python/bin/kubernetes-validate', '-k', '1.37', '--strict', file);
    expect(status).not.toBe(0);
    expect(stdout + stderr).toContain('timeoutSecond');
  });

  test('the objects of KEDA and Prometheus Operator fit the types and schemas of their definitions', () => {
    const objects = Object.values(texts)
      .flatMap(parseObjects)
      .filter(({ kind }) => ofOperators.includes(kind));
    expect(objects.map(({ kind }) => kind).sort()).toEqual([...ofOperators, 'ScaledObject'].sort());
    const check = checkOperators(objects);
    expect(check.types, 'tsc').toBe('');
    expect(check.values).toBe('ok\n');
    // Proof that the check works: wrong keys and values are reported.
    const wrong = objects.map((object) => ({ ...object, spec: { ...object.spec, nothing: 1 } }));
    expect(checkOperators(wrong).types.match(/'"nothing"' does not exist/g)).toHaveLength(objectsOfOperators);
    const empty = objects.map((object) => ({ ...object, spec: {} }));
    expect(checkOperators(empty).values).toContain('must have required property scaleTargetRef');
  });

  test('checkov reports only the rules that we break on purpose', () => {
    const args = ['--file', ...files, '--framework', 'kubernetes', '--compact', '--output', 'json'];
    // Without the last option, checkov downloads texts from its vendor.
    const { stdout } = run('python/bin/checkov', ...args, '--skip-download');
    const { results, summary } = JSON.parse(stdout);
    const found: readonly { check_id: string; check_name: string; resource: string }[] =
      results.failed_checks;
    expect(summary.parsing_errors).toBe(0);
    expect(summary.passed).toBeGreaterThan(70 * files.length);
    const meant = new Set(found.map(({ check_id }) => check_id));
    expect(
      found.filter(({ check_id }) => !(check_id in accepted)).map((it) => `${it.check_name}: ${it.resource}`),
    ).toEqual([]);
    expect([...meant].sort()).toEqual(Object.keys(accepted).sort());
  }, 300_000);

  /** Errors of the compiler on the objects as literals, whose keys it checks, and of the schemas on their values. */
  function checkOperators(objects: readonly KubeObject[]): { types: string; values: string } {
    const packages: Readonly<Record<string, string>> = {
      'keda.sh': 'keda/keda.sh',
      'monitoring.coreos.com': 'prometheus-operator/monitoring.coreos.com',
    };
    const moduleOf = ({ apiVersion, kind }: KubeObject) => {
      const [group = '', version] = apiVersion.split('/');
      return `@kubernetes-models/${packages[group]}/${version}/${kind}`;
    };
    const imports = new Set(
      objects.map((it) => `import { ${it.kind}, type I${it.kind} } from '${moduleOf(it)}';`),
    );
    const literals = objects.map((it, k) => `const a${k}: I${it.kind} = ${JSON.stringify(it)};`);
    const asks = objects.map(({ kind }, k) => `new ${kind}(a${k}).validate();`);
    writeFileSync(join(folder, 'check.ts'), [...imports, ...literals].join('\n'));
    const plain = [...imports, ...literals, ...asks, "console.log('ok');"].join('\n');
    writeFileSync(join(folder, 'check.mjs'), plain.replace(/, type \w+|: I\w+(?= =)/g, ''));
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--skipLibCheck'];
    const types = run(resolve('node_modules/.bin/tsc'), ...options, 'check.ts').stdout;
    const { stdout, stderr } = run(process.execPath, 'check.mjs');
    return { types, values: stdout + stderr };
  }
}
