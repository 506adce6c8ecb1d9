import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ask, inParallel, readMetric } from '../helpers/ask.js';
import { sizedByValue, topScores, wholeRemainder } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { fault, faultWithoutServer } from './instruments/fault.js';
import { createPlainRegistry, plainGolden } from './instruments/plain-registry.js';
import { refusalsOf } from './instruments/registry-under-fault.js';

const features = ['a', 'b'].map((name) => ({ name, type: 'integer' as const, example: 6 }));
const remainder = { task: 'regression' as const, features };
const fatal = { a: -(2 ** 31), b: -1 };
const folder = createPlainRegistry();
folder.addVersion('remainder', '1', { manifest: remainder, model: wholeRemainder() });
// The expected value does not matter: the row ends every process that runs it.
const golden = { instances: [fatal], expected: [{ prediction: 0 }] };
folder.addVersion('golden', '1', { manifest: remainder, model: wholeRemainder(), golden });
folder.addVersion('scores', '1', { manifest: { task: 'tensor' }, model: topScores() });
// The manifest asks for inline, but an unproven operator does not run on the server's thread.
folder.addVersion('insistent', '1', {
  manifest: { ...remainder, runtime: { executor: 'inline' } },
  model: wholeRemainder(),
});
const options = {
  environment: { MODELS_DIR: folder.path, DEFAULT_MODEL: 'plain', CACHE: 'memory' },
  golden: plainGolden,
};

fault(
  'E09',
  'a row that ends its process fails alone among 40 good rows, and is not run a third time',
  async ({ server }) => {
    const rounds = 5;
    let failed = 0;
    const codes: Record<string, number> = {};
    for (const model of ['remainder', 'insistent']) {
      for (let round = 0; round < rounds; round += 1) {
        const rows = Array.from({ length: 41 }, (_unused, k) =>
          k === 8 * round ? fatal : { a: 1_000 * round + k, b: 1_000_000 },
        );
        const answers = await inParallel(rows, rows.length, (row) => ask(server.url, model, row));
        for (const [k, { status, body }] of answers.entries()) {
          if (rows[k] === fatal) codes[body.code] = (codes[body.code] ?? 0) + 1;
          else if (status !== 200 || body.prediction !== (rows[k] as { a: number }).a) failed += 1;
        }
      }
    }
    expect(failed, 'good rows').toBe(0);
    // Two ends if the row ran alone at first, one if it was found among the rows of a shared run.
    const { executor_lost: lost = 0, run_failed: refused = 0 } = codes;
    expect(lost).toBeGreaterThanOrEqual(2);
    expect(lost).toBeLessThanOrEqual(4);
    expect(lost + refused, JSON.stringify(codes)).toBe(2 * rounds);
    const named = server.stdout.filter((line) => line.includes('a request has ended the process'));
    expect(named.every((line) => /"how":"SIGFPE","operators":\["Mod"\]/.test(line))).toBe(true);
    expect(await readMetric(server.url, 'executor_fatal_requests_total', 'how="SIGFPE"')).toBe(named.length);
    return `server deaths 0, good rows failed ${failed} of ${2 * rounds * 40}, fatal row answered ${JSON.stringify(codes)}`;
  },
  options,
);

fault(
  'E09',
  'an empty tensor and a fatal golden row are refused, and the server lives',
  async ({ server }) => {
    const empty = await ask(server.url, 'scores', { inputs: { X: { shape: [1, 0, 4], data: [] } } });
    expect([empty.status, empty.body.code]).toEqual([400, 'invalid_input']);
    const whole = await ask(server.url, 'scores', { inputs: { X: [[[3, 1, 2, 0]]] } });
    expect(whole.body.outputs).toEqual({ Y: [[[3]]] });
    const reasons = await refusalsOf(server, 'golden');
    expect(reasons.get('1')).toMatch(/golden rows fail|does not survive/);
    const { body } = (await fetchJson(`${server.url}/models/remainder`)) as { body: Record<string, never> };
    expect(JSON.stringify(body)).toContain('Mod of int32');
    return `server deaths 0, refused the empty tensor and the version with a fatal golden row`;
  },
  options,
);

fault(
  'E09',
  'a short request whose run takes long because of a value or a shape blocks no other request',
  async ({ server }) => {
    const outcomes: string[] = [];
    for (const { name, body } of sizedByValue) {
      const { status, body: answer } = await ask(server.url, name, body);
      outcomes.push(`${name} ${status === 200 ? 'ok' : answer.code}`);
      expect([200, 400, 422, 500, 503, 504], name).toContain(status);
    }
    const { body } = (await fetchJson(`${server.url}/models`)) as {
      body: { models: { name: string; versions: { executor: string }[] }[] };
    };
    const inline = body.models.filter(
      ({ name, versions }) =>
        sizedByValue.some((it) => it.name === name) && versions[0]?.executor !== 'isolated',
    );
    expect(inline.map(({ name }) => name)).toEqual([]);
    return `isolated ${sizedByValue.length} of ${sizedByValue.length}: ${outcomes.join(', ')}`;
  },
  {
    ...options,
    environment: { ...options.environment, MODELS_DIR: createCostlyRegistry() },
    timeoutMs: 180_000,
  },
);

faultWithoutServer(
  'E09',
  'no command of the CLI is ended by a fatal value, and none leaves a folder behind',
  async () => {
    using target = createRegistryFolder();
    const file = join(folder.path, 'remainder/1/model.onnx');
    const rows = join(target.path, 'golden.json');
    writeFileSync(rows, JSON.stringify(golden));
    const models = join(target.path, 'models');
    const run = (...argv: string[]) =>
      spawnSync(process.execPath, ['dist/cli.js', ...argv, '--models', models], { encoding: 'utf8' });
    const commands = [
      run('add', file, '--name', 'm', '--golden', rows),
      run('add', file, '--name', 'm'),
      run('predict', 'm', JSON.stringify(fatal)),
      run('predict', 'm', '{"a":42,"b":5}'),
      spawnSync(process.execPath, ['dist/cli.js', 'check', folder.path], { encoding: 'utf8' }),
    ];
    expect(commands.map(({ signal }) => signal)).toEqual(commands.map(() => null));
    expect(commands.map(({ status }) => status)).toEqual([1, 0, 1, 0, 1]);
    expect(commands[3]?.stdout).toContain('"prediction":2');
    const left = readdirSync(join(models, 'm')).filter((name) => name.startsWith('.'));
    expect(left).toEqual([]);
    return `commands ended by a signal 0 of ${commands.length}, folders left behind ${left.length}`;
  },
  120_000,
);

function createCostlyRegistry(): string {
  const costly = createPlainRegistry();
  for (const { name, model } of sizedByValue) {
    costly.addVersion(name, '1', { manifest: { task: 'tensor' }, model });
  }
  return costly.path;
}

async function fetchJson(url: string): Promise<{ readonly body: unknown }> {
  return { body: await (await fetch(url)).json() };
}
