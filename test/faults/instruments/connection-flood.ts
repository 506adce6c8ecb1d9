import { get } from 'node:http';

/** A request counts as hung after this time, which is many times what a busy machine takes. */
const hungMs = 5_000;

/** Clients that probe /health/live without pause, each request on a new connection. */
export function startConnectionFlood(port: number, clients: number) {
  const counts = { answered: 0, failed: 0, hung: 0 };
  let isOver = false;
  const ask = () =>
    new Promise<keyof typeof counts>((resolve) => {
      const sent = get({ port, path: '/health/live', agent: false }, (response) => {
        response.resume().on('error', () => resolve('failed'));
        response.on('end', () => resolve(response.statusCode === 200 ? 'answered' : 'failed'));
      });
      sent.on('error', () => resolve('failed'));
      sent.setTimeout(hungMs, () => {
        resolve('hung');
        sent.destroy();
      });
    });
  const asking = Array.from({ length: clients }, async () => {
    while (!isOver) counts[await ask()] += 1;
  });
  return {
    async stop() {
      isOver = true;
      await Promise.all(asking);
      return counts;
    },
  };
}
