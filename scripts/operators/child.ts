import { openSync, readSync, writeSync } from 'node:fs';
import { binding, initOrt } from 'onnxruntime-node/dist/binding.js';
import type { Tensor } from '../../src/inference/tensors/tensor.js';
import { type Case, dynamicPlaces, listCases, toModel } from './cases.js';
import { type Feed, feedsOf } from './hostile-feeds.js';

// Tries cases in the real engine, one after the other, and may crash. It reads lines `case feed hazards`: the place of
// a case, the first feed, and the hazards to skip. Before each run it writes a note into a file, from which the parent
// learns which run crashed.

process.env['ORT_DISABLE_TELEMETRY'] = '1';
initOrt();
const cases = listCases();
const typeNumbers =
  'undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64'.split(
    ' ',
  );
/** The file of the note, which the parent reads after a crash. */
const progress = openSync(process.argv[2] as string, 'w');
const say = (line: string) => writeSync(1, `${line}\n`);

say('ready');
let waiting = '';
const chunk = Buffer.alloc(65_536);
for (;;) {
  const end = waiting.indexOf('\n');
  if (end < 0) {
    const taken = readSync(0, chunk);
    if (taken === 0) process.exit(0);
    waiting += chunk.toString('utf8', 0, taken);
    continue;
  }
  const [place, start, skipped = ''] = waiting.slice(0, end).split(' ');
  waiting = waiting.slice(end + 1);
  attempt(cases[Number(place)] as Case, Number(start), skipped.split(','));
  say('done');
}

function attempt(tried: Case, start: number, skipped: readonly string[]): void {
  // The options of the server, but without the arena: so each tensor is one allocation, whose bounds the C library
  // checks.
  const engine = new binding.InferenceSession();
  writeSync(progress, ''.padEnd(24), 0);
  try {
    const bytes = toModel(tried);
    engine.loadModel(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
      enableCpuMemArena: false,
    });
  } catch (error) {
    say(`unopened ${String(error).replaceAll(/\s+/g, ' ').slice(0, 300)}`);
    return;
  }
  const outputs = engine.outputMetadata
    .filter(({ name }) => name.startsWith('Y'))
    .map((it) => ({ name: it.name, type: it.isTensor ? (typeNumbers[it.type] ?? 'unknown') : 'other' }));
  say(`opened ${outputs.map(({ type }) => type).join(' ')}`);
  const fetches = Object.fromEntries(outputs.map(({ name }) => [name, null]));
  const shapes = new Map<string, string>();
  let soundDims = '';
  let at = 0;
  for (const feed of feedsOf(tried)) {
    const number = at;
    at += 1;
    if (number > 0 && (number < start || skipped.includes(feed.hazard))) continue;
    const given = Object.fromEntries(
      dynamicPlaces(tried).map((place) => {
        const { type, dims, data } = feed.tensors.get(place) as Tensor;
        return [`X${place}`, { type, dims, data, location: 'cpu' }];
      }),
    );
    writeSync(progress, `${number} ${feed.hazard}`.padEnd(24), 0);
    // CPU time, which a busy machine does not lengthen.
    const before = process.cpuUsage();
    let dims: string | undefined;
    try {
      const taken = engine.run(given as never, fetches, {});
      dims = outputs.map(({ name }) => taken[name]?.dims.join('x')).join(' ');
    } catch (error) {
      if (number === 0) {
        say(`unsound ${String(error).replaceAll(/\s+/g, ' ').slice(0, 300)}`);
        return;
      }
    }
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1_000;
    if (ms > 20) say(`took ${number} ${feed.hazard} ${ms.toFixed(0)}`);
    if (number === 0) {
      say('sound');
      soundDims = dims ?? '';
    } else if (dims !== undefined) noteSize(feed, dims, soundDims, shapes);
  }
  engine.dispose();
}

/** Reports an input whose elements alone changed the shape of an output. */
function noteSize({ changed }: Feed, dims: string, soundDims: string, known: Map<string, string>): void {
  if (changed.length !== 1 || dims === soundDims) return;
  const key = String(changed[0]);
  if (known.has(key)) return;
  known.set(key, dims);
  say(`sizes ${key}`);
}
