import { Type } from '@sinclair/typebox';
import { accessVariables } from './auth.js';
import { cacheVariables } from './cache.js';
import { edgeVariables } from './http.js';
import { modelsVariables } from './models.js';
import { processVariables } from './process.js';

/**
 * Every variable that the server reads: its type, its default, its meaning. `docs/configuration.md` and
 * `.env.example` are made from this, and held to it by a test.
 */
export const ConfigSchema = Type.Object({
  ...edgeVariables,
  ...accessVariables,
  ...cacheVariables,
  ...modelsVariables,
  ...processVariables,
});
