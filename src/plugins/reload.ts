import fp from 'fastify-plugin';

type Read = () => Promise<void>;

declare module 'fastify' {
  interface FastifyInstance {
    /** Has a file read again whenever `reloadFiles` is called. */
    onReload(read: Read): void;
    /** Reads keys and certificates again, which are looked at each second anyway. Never rejects. */
    reloadFiles(): Promise<void>;
  }
}

/** Collects what a SIGHUP has read again. */
export default fp(
  async function reloadPlugin(app) {
    const reads: Read[] = [];
    app.decorate('onReload', (read) => {
      reads.push(read);
    });
    app.decorate('reloadFiles', async () => {
      await Promise.all(reads.map((read) => read()));
    });
  },
  { name: 'reload', fastify: '5.x' },
);
