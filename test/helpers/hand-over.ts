import cluster from 'node:cluster';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { readAcknowledged, readHandOver } from '../../src/node-internals.js';

// A cluster of one worker, which takes one connection: the parent of this process gets the numbers that both sides name.
if (cluster.isWorker) {
  createServer((socket) => socket.end()).listen(0, '127.0.0.1');
} else {
  const handed: number[] = [];
  const acknowledged: number[] = [];
  const worker = cluster.fork();
  const { send } = worker.process;
  worker.process.send = new Proxy(send, {
    apply(target, self, args: [unknown]) {
      const seq = readHandOver(args[0]);
      if (seq !== undefined) handed.push(seq);
      return Reflect.apply(target, self, args);
    },
  });
  worker.process.on('internalMessage', (message: unknown) => {
    const seq = readAcknowledged(message);
    if (seq !== undefined && handed.includes(seq)) acknowledged.push(seq);
  });
  const [, address] = (await once(cluster, 'listening')) as [unknown, AddressInfo];
  await once(connect(address.port, '127.0.0.1').resume(), 'close');
  process.send?.({ handed, acknowledged });
  worker.kill();
  await once(worker, 'exit');
  process.disconnect();
}
