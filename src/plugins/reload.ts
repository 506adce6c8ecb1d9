import fp from 'fastify-plugin';

type Read = () => Promise<void>;

declare module 'fastify' {
  interface FastifyInstance {
    /** Registers a function that `reloadFiles` calls. */
    onReload(read: Read): void;
    /** Reads keys and certificates again, without the wait of up to 1 s for the file watch. Never rejects. */
    reloadFiles(): Promise<void>;
  }
}

/** The files that a SIGHUP reads again. */
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
