import { Type } from '@sinclair/typebox';
import { Milliseconds } from './setting-types.js';

/** The served models, and the limits of their loads and runs. */
export const modelsVariables = {
  MODELS_DIR: Type.String({
    minLength: 1,
    default: 'models',
    description: 'The registry: the folder that holds the models.',
  }),
  DEFAULT_MODEL: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The model that /predict uses. Without it: the alias "default" of the registry, else the only model.',
    }),
  ),
  REQUIRED_MODELS: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The models that must be able to answer before the server is ready: names, separated by commas, or "all". Without it: the default model, and at least one model.',
    }),
  ),
  MODEL_LOAD_TIMEOUT_MS: Milliseconds(
    'The longest time in which the engine must open a version; after it, the version is refused.',
    60_000,
    1,
  ),
  MAX_MODEL_MEMORY_MB: Type.Optional(
    Type.Integer({
      minimum: 128,
      maximum: 16_777_216,
      description:
        'The maximum memory of a process that runs one isolated version, or tries a version before it is served; a process above it is killed. Without it: half of the memory of the machine or the container.',
    }),
  ),
  MAX_OUTPUT_BYTES: Type.Integer({
    minimum: 1_024,
    maximum: 268_435_456,
    default: 16_777_216,
    description: 'The maximum size of the output tensors of one run.',
  }),
};
