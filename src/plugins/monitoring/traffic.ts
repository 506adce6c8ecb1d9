import fp from 'fastify-plugin';
import { createTraffic, type Traffic } from '../../monitoring/traffic/traffic-steps.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Undefined if `CONSOLE=off`: only the console shows it. Routes use `cluster`, which has that of all workers. */
    readonly traffic: Traffic | undefined;
  }
}

export default fp<{ readonly isOn: boolean }>(
  async function trafficPlugin(app, { isOn }) {
    const traffic = isOn ? createTraffic() : undefined;
    app.decorate('traffic', traffic);
    if (traffic !== undefined) app.predictions.subscribe(traffic.subscriber);
  },
  { name: 'traffic', fastify: '5.x', dependencies: ['predictor'] },
);
