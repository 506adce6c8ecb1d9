import { expect } from 'vitest';
import { messageOf, RefusedError } from '../../src/errors.js';
import type { Manifest } from '../helpers/one-version.js';
import { answerBody, loaderOf } from '../helpers/one-version.js';
import { createRandom } from '../helpers/onnx/random.js';
import * as models from '../helpers/onnx-models.js';
import { slow } from '../helpers/onnx-models.js';
import { memoryMb } from '../helpers/processes.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { faultWithoutServer } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { mutate } from './instruments/protobuf-mutants.js';

const one: Manifest = { task: 'regression', features: [{ name: 'x', type: 'number', example: 1 }] };
const two: Manifest = {
  task: 'regression',
  features: [
    { name: 'a', type: 'number', example: 1 },
    { name: 'b', type: 'number', example: 2 },
  ],
};
const tensors: Manifest = { task: 'tensor' };
const sound: readonly [Manifest, Uint8Array][] = [
  [two, models.linearRegression([1, 2], 3)],
  [two, models.float64Linear([1, 2], 3)],
  [one, models.gatherByValue()],
  [one, slow(3)],
  [one, models.allocating()],
  [tensors, models.grouped()],
  [tensors, models.perColumn()],
  [tensors, models.twoOutputs()],
];

faultWithoutServer(
  'R04',
  'a randomly changed model is refused or served, and ends no more than a child',
  async () => {
    const count = isFullSize ? 10_000 : 300;
    const random = createRandom(4);
    const loader = loaderOf({ maxMemoryBytes: 1_024 ** 3, loadTimeoutMs: 5_000 });
    const ends: Record<string, number> = {};
    const add = (end: string) => {
      ends[end] = (ends[end] ?? 0) + 1;
    };
    const memoryBefore = peakMb();
    try {
      for (let k = 0; k < count; k += 1) {
        const [manifest, model] = sound[k % sound.length] as (typeof sound)[number];
        const mutant = mutate(model, random, 1 + Math.floor(random() * 3));
        using folder = createRegistryFolder();
        const path = folder.addVersion('m', '1', { manifest, model: mutant });
        add(await judge(loader, path));
      }
      for (const [manifest, model] of sound) {
        using folder = createRegistryFolder();
        const path = folder.addVersion('m', '1', { manifest, model });
        expect(await judge(loader, path), 'the sound models are served').toBe('served');
      }
    } finally {
      loader.close();
    }
    const unclear = Object.keys(ends).filter((end) => end.startsWith('unclear'));
    expect(unclear).toEqual([]);
    expect(ends['served'], 'mutants that are served').toBeGreaterThan(0);
    expect(ends['refused'], 'mutants that are refused').toBeGreaterThan(count / 10);
    const { served = 0, refused = 0, hang = 0, ...died } = ends;
    const deaths = Object.entries(died).map(([how, times]) => `${times} by ${how}`);
    return `of ${count} mutants refused ${refused}, served ${served}, children that died ${deaths.join(', ') || 0}, hangs ${hang}; this process lives, its peak RSS ${memoryBefore.toFixed(0)} → ${peakMb().toFixed(0)} MB${sizeNote}`;
  },
  isFullSize ? 3_600_000 : 180_000,
);

async function judge(loader: ReturnType<typeof loaderOf>, path: string): Promise<string> {
  try {
    const loaded = await loader.load(path, 'm', '1');
    try {
      // A served mutant must answer or fail without harm to this process.
      await answerBody(loaded, loaded.task.example).catch(() => undefined);
    } finally {
      loaded.retire();
    }
    return 'served';
  } catch (error) {
    const reason = messageOf(error);
    if (!(error instanceof RefusedError)) return `unclear: ${reason}`;
    const how = /the child ended \((?:it took more (memory)|([^)]*))/.exec(reason);
    if (how !== null) return how[1] ?? how[2] ?? 'unclear: no end';
    return reason.includes('MODEL_LOAD_TIMEOUT_MS') ? 'hang' : 'refused';
  }
}

const peakMb = () => memoryMb(process.pid, 'VmHWM');
