import { afterAll, expect } from 'vitest';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder, type VersionParts } from '../helpers/registry-folder.js';
import { fault } from './instruments/fault.js';
import { ask, refusalsOf, serving } from './instruments/registry-under-fault.js';

const folder = createRegistryFolder();
afterAll(() => folder[Symbol.dispose]());

/** Each version predicts its position in the list, so that a wrong version shows. */
const parts = (position: number): VersionParts => ({
  manifest: { task: 'regression', features: [{ name: 'X', type: 'number' }] },
  model: linearRegression([0], position),
});

interface Case {
  readonly versions: readonly string[];
  readonly aliases?: unknown;
  /** Refused versions, each with the other version that the message names. */
  readonly refused?: Readonly<Record<string, string>>;
  /** By selector ('' for no version): the version that answers, or the status. */
  readonly answers: Readonly<Record<string, string | number>>;
  readonly problem?: RegExp;
  /** By alias: the problem of an alias without a usable version. */
  readonly aliasProblems?: Readonly<Record<string, RegExp>>;
}

const cases: Readonly<Record<string, Case>> = {
  'equal-numbers': {
    versions: ['1', '01'],
    refused: { '1': '01', '01': '1' },
    answers: { '': 503, latest: 503, '1': 503, '01': 503 },
  },
  'equal-beside-another': {
    versions: ['3', '7', '07'],
    refused: { '7': '07', '07': '7' },
    answers: { '': '3', latest: '3', '7': 503 },
  },
  'number-and-semantic': {
    versions: ['1', '1.0.0'],
    refused: { '1': '1.0.0', '1.0.0': '1' },
    answers: { '': 503, '1.0.0': 503 },
  },
  'timestamp-and-number': {
    versions: ['20261101_090000', '20261101090000'],
    refused: { '20261101_090000': '20261101090000', '20261101090000': '20261101_090000' },
    answers: { '': 503 },
  },
  'case-only': {
    versions: ['v1', 'V1', '2'],
    refused: { v1: 'V1', V1: 'v1' },
    answers: { '': '2', v1: 503, V1: 503 },
  },
  'no-known-kind': {
    versions: ['v1-final', 'final2'],
    answers: { '': 503, latest: 503, 'v1-final': 'v1-final', final2: 'final2' },
  },
  'one-of-no-known-kind': { versions: ['final'], answers: { '': 'final', latest: 503, final: 'final' } },
  'v-numbers': { versions: ['v1', 'v10', 'v2', 'v9-final'], answers: { '': 'v10', latest: 'v10', v2: 'v2' } },
  'v-number-and-number': {
    versions: ['v1', '1'],
    refused: { v1: '1', '1': 'v1' },
    answers: { '': 503, v1: 503 },
  },
  'equal-v-numbers': { versions: ['v1', 'v01'], refused: { v1: 'v01', v01: 'v1' }, answers: { '': 503 } },
  'no-known-kind-beside-a-number': { versions: ['zzz', '1'], answers: { '': '1', zzz: 'zzz' } },
  'long-numbers': {
    versions: ['9007199254740993', '9007199254740992', '99'],
    answers: { '': '9007199254740993', latest: '9007199254740993' },
  },
  prerelease: { versions: ['1.0.0', '2.0.0-rc.1'], answers: { '': '1.0.0', '2.0.0-rc.1': '2.0.0-rc.1' } },
  aliased: {
    versions: ['1', '2'],
    aliases: { default: '1', next: '2', gone: '9' },
    answers: { '': '1', default: '1', latest: '2', next: '2', gone: 503, '9': 404 },
    aliasProblems: { gone: /9 is not there/ },
  },
  'default-is-absent': {
    versions: ['1', '2'],
    aliases: { default: '9' },
    answers: { '': 503, default: 503, latest: '2', '1': '1' },
    aliasProblems: { default: /9 is not there/ },
  },
  'default-is-refused': {
    versions: ['1', '01', '2'],
    aliases: { default: '1' },
    refused: { '1': '01', '01': '1' },
    answers: { '': 503, latest: '2', default: 503 },
    aliasProblems: { default: /1 is refused/ },
  },
  'aliases-cut': {
    versions: ['1', '2'],
    aliases: '{"default": "1',
    answers: { '': 503, default: 503, '1': '1' },
    problem: /not valid JSON/,
  },
  'aliases-reserved': {
    versions: ['1', '2'],
    aliases: { latest: '1', default: '1' },
    answers: { '': 503, latest: '2', default: 503 },
    problem: /"latest" is reserved/,
  },
  'aliases-shadow-a-version': {
    versions: ['1', '2'],
    aliases: { '2': '1' },
    answers: { '': 503, '2': '2' },
    problem: /"2" is already the name of a model or version/,
  },
  'aliases-of-another-shape': {
    versions: ['1', '2'],
    aliases: { default: ['1'] },
    answers: { '': 503 },
    problem: /must be an object of names/,
  },
};
for (const [model, { versions, aliases }] of Object.entries(cases)) {
  for (const [position, version] of versions.entries()) folder.addVersion(model, version, parts(position));
  if (aliases !== undefined) folder.write(`${model}/aliases.json`, aliases);
}
folder.write('sound/2026110１_090000/metadata.json', {});
folder.write('sоund/1/metadata.json', {});
folder.write('aliases.json', { default: 'aliased', champion: 'sound', lost: 'nowhere' });

fault(
  'R09',
  'versions without a clear order and aliases without a clear meaning are refused',
  async ({ server }) => {
    let wrong = 0;
    let ambiguous = 0;
    let asked = 0;
    for (const [model, { versions, refused = {}, answers, problem, aliasProblems = {} }] of Object.entries(
      cases,
    )) {
      const reasons = await refusalsOf(server, model);
      expect.soft([...reasons.keys()].sort(), model).toEqual(Object.keys(refused).sort());
      for (const [version, other] of Object.entries(refused)) {
        const names = (reasons.get(version) ?? '').split(/[\s:,]+/);
        if (!names.includes(version) || !names.includes(other)) ambiguous += 1;
      }
      const state = await (await fetch(`${server.url}/models/${model}`)).json();
      if (problem === undefined) expect.soft(state).not.toHaveProperty('alias_problem');
      else expect.soft((state as { alias_problem: string }).alias_problem, model).toMatch(problem);
      for (const [alias, text] of Object.entries(aliasProblems))
        expect
          .soft((state as { aliases: Record<string, { problem: string }> }).aliases[alias]?.problem)
          .toMatch(text);
      for (const [selector, wanted] of Object.entries(answers)) {
        const path = selector === '' ? '' : `/versions/${selector}`;
        const { status, body } = await ask(server, `/models/${model}${path}/predict`, { X: 1 });
        asked += 1;
        const got = status === 200 ? body.model_version : status;
        expect.soft(got, `${model} ${selector}`).toBe(wanted);
        if (got !== wanted || (status === 200 && body.prediction !== versions.indexOf(String(wanted))))
          wrong += 1;
        if (status === 503) expect.soft(body.code).toBe('model_unavailable');
      }
    }
    expect((await ask(server, '/predict', { X: 1 })).body).toMatchObject({
      model: 'aliased',
      model_version: '1',
    });
    expect((await ask(server, '/models/champion/predict')).body.model).toBe('sound');
    expect((await ask(server, '/models/lost/predict')).status).toBe(503);
    const remarks = server.stdout.map((line) => JSON.parse(line).remark).filter(Boolean);
    expect(remarks).toContainEqual(expect.stringContaining('"2026110\\uff11_090000": is not a valid name'));
    expect(remarks).toContainEqual(expect.stringContaining('"s\\u043eund": is not a valid name'));
    expect([ambiguous, wrong]).toEqual([0, 0]);
    return `ambiguous orders ${ambiguous} of ${Object.keys(cases).length} models, wrong version ${wrong} of ${asked}`;
  },
  serving(folder),
);
