import { type Static, Type } from '@sinclair/typebox';
import {
  defaultVersion,
  findVersion,
  type ModelState,
  type VersionState,
} from '../models/registry/choose-version.js';
import { StringEnum } from './string-enum.js';

export const V1ModelListSchema = Type.Object(
  { models: Type.Array(Type.String()) },
  { description: 'The names of the models, ready or not' },
);

const VersionStatus = Type.Object({
  version: Type.String(),
  state: StringEnum(['LOADING', 'AVAILABLE', 'END']),
  status: Type.Object({ error_code: Type.String(), error_message: Type.String() }),
});

/** The fields of KServe and those of TensorFlow Serving in one answer: each client reads its own. */
export const V1ModelStatusSchema = Type.Object(
  {
    name: Type.String(),
    ready: Type.Literal(true),
    model_version_status: Type.Array(VersionStatus, { minItems: 1 }),
  },
  { $id: 'V1ModelStatus', description: 'The model answers' },
);

/** The selected version, or all versions of the model, with the answering one first. */
export function toV1ModelStatus(model: ModelState, selector?: string): Static<typeof V1ModelStatusSchema> {
  const answering = selector === undefined ? defaultVersion(model) : findVersion(model, selector).name;
  const listed = [...model.versions].filter(([name]) => selector === undefined || name === answering);
  return {
    name: model.name,
    ready: true,
    model_version_status: listed
      .sort(([a], [b]) => Number(b === answering) - Number(a === answering))
      .map(([name, state]) => toVersionStatus(name, state)),
  };
}

function toVersionStatus(version: string, state: VersionState): Static<typeof VersionStatus> {
  switch (state.state) {
    case 'ready':
      return { version, state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } };
    case 'loading':
      return { version, state: 'LOADING', status: { error_code: 'OK', error_message: '' } };
    case 'refused':
      return {
        version,
        state: 'END',
        status: { error_code: 'FAILED_PRECONDITION', error_message: state.reason },
      };
    default:
      return state satisfies never;
  }
}
