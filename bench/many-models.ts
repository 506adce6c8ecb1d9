import { linearRegression } from '../test/helpers/onnx-models.js';
import { createRegistryFolder } from '../test/helpers/registry-folder.js';
import { startServerProcess } from '../test/helpers/server-process.js';
import { residentMiB } from './proc.js';
import { below, median, sleep, type Table } from './table.js';

const many = 200;

interface Start {
  readonly readyMs: number;
  readonly residentMb: number;
}

/** The memory and the start time that each of many small models adds. */
export async function benchManyModels(table: Table): Promise<void> {
  const rounds: { one: Start; all: Start }[] = [];
  for (let k = 0; k < table.rounds; k += 1)
    rounds.push({ one: await startWith(1), all: await startWith(many) });
  const perModel = (of: (start: Start) => number) =>
    median(rounds.map(({ one, all }) => (of(all) - of(one)) / (many - 1)));
  table.add(
    `resident memory per model, with ${many} models`,
    perModel((it) => it.residentMb),
    'MiB',
    below(2),
  );
  table.add(
    `start time per model, with ${many} models`,
    perModel((it) => it.readyMs),
    'ms',
    below(20),
  );
  table.add(`resident memory, ${many} small models`, median(rounds.map((it) => it.all.residentMb)), 'MiB');
  table.add(
    `time from the start to ready, ${many} small models`,
    median(rounds.map((it) => it.all.readyMs)),
    'ms',
  );
}

async function startWith(count: number): Promise<Start> {
  using folder = createRegistryFolder();
  const features = ['a', 'b'].map((name) => ({ name, type: 'number' as const, minimum: -10, maximum: 10 }));
  for (let k = 0; k < count; k += 1) {
    const model = linearRegression([k, 2], 1);
    folder.addVersion(`model-${k}`, '1', { manifest: { task: 'regression', features }, model });
  }
  const started = performance.now();
  await using server = await startServerProcess({
    MODELS_DIR: folder.path,
    DEFAULT_MODEL: 'model-0',
    REQUIRED_MODELS: 'all',
  });
  while ((await fetch(`${server.url}/health/ready`)).status !== 200) await sleep(5);
  const readyMs = performance.now() - started;
  await sleep(1_000);
  return { readyMs, residentMb: residentMiB(server.child.pid) };
}
