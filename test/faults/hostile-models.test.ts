import { createHash } from 'node:crypto';
import { linkSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { useCliFolder } from '../helpers/cli.js';
import { initializer, int, model, node, tensorValue } from '../helpers/onnx.js';
import { externalData, linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';
import { faultWithoutServer } from './instruments/fault.js';

// What the author of a model may put into its files to block the server, or to read foreign files.

/** The maximum length of a name in a graph. The attack was found with 60,000, which are now refused at load. */
const letters = 16_384;
const longNames = {
  letters: 'a'.repeat(letters),
  brackets: '['.repeat(letters),
  places: '/a.cc:1 '.repeat(letters / 8),
  quotes: "' [ ".repeat(letters / 4),
};

/** Looks up a table of four values by position. The engine repeats `name`, the node's output, in its error message. */
function gatherNamed(name: string): Uint8Array {
  return model({
    inputs: [tensorValue('X', 'float32', ['N', 1])],
    outputs: [tensorValue('value', 'float32', ['N', 1])],
    initializers: [initializer('table', 'float32', [4], [10, 20, 30, 40])],
    nodes: [
      node('Cast', ['X'], ['place'], { to: int(7) }),
      node('Gather', ['table', 'place'], [name], { axis: int(0) }),
      node('Identity', [name], ['value']),
    ],
  });
}

const manifest = { task: 'regression' as const, features: [{ name: 'x', type: 'number' as const }] };
const registry = createRegistryFolder();
afterAll(() => registry[Symbol.dispose]());
const named = Object.entries({ short: 'short', ...longNames });
for (const [kind, name] of named) registry.addVersion(kind, '1', { manifest, model: gatherNamed(name) });
registry.addVersion('longer', '1', { manifest, model: gatherNamed('a'.repeat(60_000)) });

/** An answer, and the milliseconds until it came. */
async function ask(url: string, body: string) {
  const started = performance.now();
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body });
  const text = await response.text();
  return { ms: performance.now() - started, status: response.status, text };
}

const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1] as number;

faultWithoutServer(
  'A09',
  'an error of the engine is answered quickly, however long the name of the node is',
  async () => {
    await using server = await startServerProcess({ MODELS_DIR: registry.path });
    const figures: string[] = [];
    for (const [kind] of named) {
      const url = `${server.url}/models/${kind}/predict`;
      expect((await ask(url, '{"x":1}')).status, kind).toBe(200);
      const times: number[] = [];
      for (let k = 0; k < 11; k += 1) {
        const { ms, status, text } = await ask(url, '{"x":900}');
        expect([status, JSON.parse(text).code], kind).toEqual([500, 'run_failed']);
        times.push(ms);
      }
      expect(median(times), kind).toBeLessThan(100);
      figures.push(`${kind} ${median(times).toFixed(1)} ms`);
    }
    return `a failing request with a name of ${letters} letters: ${figures.join(', ')} (before the fix: 4,200 ms with 60,000)`;
  },
);

const outside = mkdtempSync(join(tmpdir(), 'sardonyx-authors-'));
afterAll(() => rmSync(outside, { recursive: true }));

faultWithoutServer(
  'A09',
  'a file behind a symbolic link in a version appears in no answer and no log line',
  async () => {
    using folder = createRegistryFolder();
    const secret = 'hunter2-is-a-secret';
    const content = JSON.stringify({ name: secret, version: '1', default: secret });
    writeFileSync(join(outside, 'secret'), content);
    const files = ['metadata.json', 'model.onnx', 'golden.json', 'reference.json', 'w.bin'];
    for (const file of files) {
      const path = folder.addVersion(file.replace('.', '-'), '1', {
        manifest,
        model: externalData('w.bin'),
        files: { 'w.bin': Buffer.from(new Float32Array([40]).buffer) },
        golden: { instances: [{ x: 2 }], expected: [{ prediction: 42 }] },
        reference: {},
      });
      rmSync(join(path, file));
      symlinkSync(join(outside, 'secret'), join(path, file));
    }
    folder.addVersion('sound', '1', { manifest, model: linearRegression([1]) });
    await using server = await startServerProcess({ MODELS_DIR: folder.path, DEFAULT_MODEL: 'sound' });
    const pages = await Promise.all(
      [
        '/models',
        '/health',
        '/metrics',
        '/openapi.json',
        ...files.map((file) => `/models/${file.replace('.', '-')}`),
      ].map(async (path) => (await fetch(server.url + path)).text()),
    );
    const output = [...pages, ...server.stdout].join('\n');
    const digest = createHash('sha256').update(content).digest('hex');
    const hits = output.split(secret).length + output.split(digest.slice(0, 12)).length - 2;
    expect(hits).toBe(0);
    for (const file of files) expect(output).toContain(`${file}: the link leads out of the registry`);
    return `the secret or its digest in ${Math.round(output.length / 1_024)} kB of answers and log: ${hits} for ${files.length} links (before the fix: 2)`;
  },
);

faultWithoutServer('A09', 'empty texts count as bytes of an answer', async () => {
  using folder = createRegistryFolder();
  const texts = 450_000;
  const expanding = model({
    inputs: [tensorValue('X', 'string', ['N', 1])],
    outputs: [tensorValue('value', 'string', ['N', texts])],
    initializers: [initializer('shape', 'int64', [2], [1n, BigInt(texts)])],
    nodes: [node('Expand', ['X', 'shape'], ['value'])],
  });
  folder.addVersion('texts', '1', { manifest: { task: 'tensor' }, model: expanding });
  await using server = await startServerProcess({ MODELS_DIR: folder.path, MAX_OUTPUT_BYTES: '1024' });
  const { status, text } = await ask(`${server.url}/predict`, '{"inputs":{"X":[[""]]}}');
  expect([status, JSON.parse(text).code], text.slice(0, 500)).toEqual([422, 'output_too_large']);
  return `${texts} empty texts, MAX_OUTPUT_BYTES=1024: ${status} with ${text.length} bytes (before the fix: all texts)`;
});

const cli = useCliFolder('sardonyx-authors-');

faultWithoutServer(
  'A09',
  'the command line copies no hard link, keeps the mode of weights, and prints no control characters',
  async () => {
    const weights = join(cli.path, 'w.bin');
    const path = join(cli.path, 'model.onnx');
    writeFileSync(weights, new Uint8Array(new Float32Array([5]).buffer), { mode: 0o600 });
    writeFileSync(path, externalData('w.bin'));
    expect((await cli.run('add', path, '--name', 'm', '--features', 'x')).code).toBe(0);
    const [version = ''] = await readdir(join(cli.path, 'models/m'));
    const mode = statSync(join(cli.path, 'models/m', version, 'w.bin')).mode & 0o777;
    expect(mode).toBe(0o600);
    linkSync(weights, join(cli.path, 'other'));
    const refused = await cli.run('add', path, '--name', 'linked', '--features', 'x');
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('are a hard link')]);
    const hostile = model({
      inputs: [tensorValue('X\u202e', 'float32', ['N', 1])],
      outputs: [tensorValue('Y', 'float32', ['N', 1])],
      nodes: [node('Identity', ['X\u202e'], ['Y'])],
      metadata: { note: '\u009b2J\u061c\u2066' },
    });
    writeFileSync(path, hostile);
    const { out } = await cli.run('inspect', path, '--json');
    expect(out).toContain('\\u009b2J\\u061c\\u2066');
    const others = [...out].filter((letter) => !/[\n -~]/.test(letter)).length;
    expect(others).toBe(0);
    return `the copy of weights with mode 600 has ${mode.toString(8)} (before the fix: 644), a hard link is refused, characters outside printable ASCII in inspect --json: ${others}`;
  },
);
