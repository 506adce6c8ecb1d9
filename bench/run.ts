import { benchCaching } from './caching.js';
import { benchHttp, benchIdle } from './http.js';
import { benchIsolation } from './isolation.js';
import { benchKserve, benchKserveServer } from './kserve.js';
import { benchManyModels } from './many-models.js';
import { benchNeighbours } from './neighbours.js';
import { benchNetwork } from './network.js';
import { benchOverload } from './overload.js';
import { busyShare } from './proc.js';
import { benchProtection } from './protection.js';
import { benchRecovery } from './recovery.js';
import { benchRedisFrozen } from './redis-frozen.js';
import { below, Table } from './table.js';
import { benchWorkers } from './workers.js';

/** Every group of rows, in the order in which they are measured. Names as arguments choose among them. */
const groups: Readonly<Record<string, (table: Table) => Promise<void>>> = {
  http: benchHttp,
  idle: benchIdle,
  isolation: benchIsolation,
  network: benchNetwork,
  neighbours: benchNeighbours,
  overload: benchOverload,
  recovery: benchRecovery,
  models: benchManyModels,
  workers: benchWorkers,
  caching: benchCaching,
  kserve: benchKserve,
  'kserve-server': benchKserveServer,
  protection: benchProtection,
  redis: benchRedisFrozen,
};
const chosen = process.argv.slice(2);
const table = new Table();
const before = await busyShare(2_000);
for (const [name, bench] of Object.entries(groups)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  try {
    await bench(table);
  } catch (error) {
    // Minutes of other rows are not to be lost for it.
    console.error(error);
    table.skip(name, 'it failed');
    process.exitCode = 1;
  }
}
table.add(
  'processors busy with other work, before and after',
  Math.max(before, await busyShare(2_000)),
  '',
  below(0.1),
);
table.print();
