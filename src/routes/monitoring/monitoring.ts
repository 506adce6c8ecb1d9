import type { FastifyPluginAsync } from 'fastify';
import type { Config } from '../../config/read-config.js';
import driftRoutes from './drift.js';
import feedbackRoutes from './feedback.js';
import qualityRoutes from './quality.js';

/** What people and programs ask about the predictions of the past. */
const monitoringRoutes: FastifyPluginAsync<Config> = async (app, config) => {
  await app.register(driftRoutes, config);
  if (config.FEEDBACK === 'off') return;
  await app.register(feedbackRoutes, config);
  await app.register(qualityRoutes, config);
};

export default monitoringRoutes;
