import { LoadedVersion } from '../../src/models/registry/loaded-version.js';

export interface FakeVersion {
  readonly loaded: LoadedVersion;
  /** How often the session was released. */
  readonly closed: () => number;
}

/** A loaded version without an engine: it answers with its own version. */
export function createFakeVersion(model: string, version: string): FakeVersion {
  let closed = 0;
  const answer = async () => ({
    value: { prediction: version },
    fieldsJson: `"prediction":${JSON.stringify(version)}`,
    timing: { queueMs: 0, runMs: 0, endedAt: 0, batchRows: 1, batchIndex: 0, ownRows: 1 },
  });
  const loaded = new LoadedVersion({
    manifest: { name: model, version, task: 'tensor', sha256: {} },
    identity: `${model}/${version}`,
    task: {
      requestSchema: {} as never,
      documentSchema: {} as never,
      answerSchema: {} as never,
      example: {},
      bodyBounds: { names: 1, items: 1 },
      answerAll: (requests) => Promise.all(requests.map(answer)),
      answerEach: (requests) => Promise.all(requests.map(answer)),
      check: (body) => ({ cacheKey: () => JSON.stringify(body), hash: () => 0, answer }),
    },
    loadStats: {
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
