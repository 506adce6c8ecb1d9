import { LoadedModel } from '../../src/models/registry/loaded-version.js';

export interface FakeVersion {
  readonly loaded: LoadedModel;
  /** How often its session was released. */
  readonly closed: () => number;
}

/** A loaded version without an engine: it answers with its own version. */
export function createFakeVersion(model: string, version: string): FakeVersion {
  let closed = 0;
  const answer = async () => ({
    value: { prediction: version },
    members: `"prediction":${JSON.stringify(version)}`,
    timing: { queueMs: 0, runMs: 0, batchRows: 1, batchIndex: 0, ownRows: 1 },
  });
  const loaded = new LoadedModel({
    manifest: { name: model, version, task: 'tensor', sha256: {} },
    identity: `${model}/${version}`,
    task: {
      requestSchema: {} as never,
      documentSchema: {} as never,
      answerSchema: {} as never,
      example: {},
      bodyBounds: { names: 1, items: 1 },
      answerAll: (requests) => Promise.all(requests.map(answer)),
      check: (body) => ({ text: () => JSON.stringify(body), hash: () => 0, answer }),
    },
    figures: {
      loadMs: 1,
      runMs: 1,
      batchRows: 1,
      openMs: 1,
      outputBytes: 1,
      memoryBytes: 1,
      goldenRows: 0,
      executorReason: 'a test',
      uncachedReason: undefined,
      notes: [],
    },
    executor: {
      kind: 'inline',
      run: async () => ({}),
      close: () => {
        closed += 1;
      },
    },
  });
  return { loaded, closed: () => closed };
}
