import { Type } from '@sinclair/typebox';
import { Milliseconds } from './setting-types.js';

/** What is served, and what it may take. */
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
        'The model that plain /predict means. Without it: the alias "default" of the registry, else the only model.',
    }),
  ),
  REQUIRED_MODELS: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'Models that must answer before the server is ready: names with commas between, or "all". Without it: the default model, and one at least.',
    }),
  ),
  MODEL_LOAD_TIMEOUT_MS: Milliseconds(
    'The longest that the engine may take to open a version; then it is refused.',
    60_000,
    1,
  ),
  MAX_MODEL_MEMORY_MB: Type.Optional(
    Type.Integer({
      minimum: 128,
      maximum: 16_777_216,
      description:
        'The most memory of a process that runs one isolated version, or tries a version before it is served; above it, the process is ended. Without it: half of what the machine or the container has.',
    }),
  ),
  MAX_OUTPUT_BYTES: Type.Integer({
    minimum: 1_024,
    maximum: 268_435_456,
    default: 16_777_216,
    description: 'The most bytes that the outputs of one run may have, as tensors.',
  }),
};
