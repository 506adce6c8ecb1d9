import { Type } from '@sinclair/typebox';
import { accessVariables } from './auth.js';
import { cacheVariables } from './cache.js';
import { driftVariables } from './drift.js';
import { feedbackVariables } from './feedback.js';
import { edgeVariables } from './http.js';
import { jobVariables } from './jobs.js';
import { modelsVariables } from './models.js';
import { predictionLogVariables } from './prediction-log.js';
import { processVariables } from './process.js';
import { tracingVariables } from './tracing.js';

/** All configuration variables. `npm run docs` makes `docs/configuration.md` and `.env.example` from this schema. */
export const ConfigSchema = Type.Object({
  ...edgeVariables,
  ...accessVariables,
  ...cacheVariables,
  ...modelsVariables,
  ...jobVariables,
  ...driftVariables,
  ...feedbackVariables,
  ...predictionLogVariables,
  ...processVariables,
  ...tracingVariables,
});
