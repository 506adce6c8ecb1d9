import { BatchAnswerSchema, BatchRequestSchema } from '../batch.js';
import { DriftSchema } from '../drift.js';
import { JobListSchema, JobSchema } from '../job.js';
import { ModelSchema, VersionDetailSchema, VersionSchema } from '../model.js';
import { ProblemSchema } from '../problem.js';
import { QualitySchema } from '../quality.js';
import { V1ErrorSchema } from '../v1-error.js';
import { V1MetadataSchema } from '../v1-metadata.js';
import { V1ModelStatusSchema } from '../v1-model.js';

/** The schemas that routes refer to by their names. */
export const schemas = [
  BatchRequestSchema,
  BatchAnswerSchema,
  JobSchema,
  JobListSchema,
  ProblemSchema,
  VersionSchema,
  ModelSchema,
  VersionDetailSchema,
  DriftSchema,
  QualitySchema,
  V1ErrorSchema,
  V1ModelStatusSchema,
  V1MetadataSchema,
] as const;
