import { benchBatch } from './batch.js';
import { benchBatchFiles } from './batch-files.js';
import { benchCaching } from './caching.js';
import { benchHttp, benchIdle } from './http.js';
import { benchIsolation } from './isolation.js';
import { benchJobWorkers } from './job-workers.js';
import { benchJobs } from './jobs.js';
import { benchKserve, benchKserveServer } from './kserve.js';
import { benchManyModels } from './many-models.js';
import { benchMonitoring } from './monitoring.js';
import { benchNeighbours } from './neighbours.js';
import { benchNetwork } from './network.js';
import { benchOverload } from './overload.js';
import { busyShare } from './proc.js';
import { benchProtection } from './protection.js';
import { benchRecovery } from './recovery.js';
import { benchRedisFrozen } from './redis-frozen.js';
import { benchReplicas } from './replicas.js';
import { below, Table } from './table.js';
import { benchWorkers } from './workers.js';

/** All groups of rows, in the order of measurement. Arguments choose groups by name. */
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
  replicas: benchReplicas,
  caching: benchCaching,
  batch: benchBatch,
  jobs: benchJobs,
  'job-workers': benchJobWorkers,
  'batch-files': benchBatchFiles,
  kserve: benchKserve,
  'kserve-server': benchKserveServer,
  protection: benchProtection,
  monitoring: benchMonitoring,
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
    // Keep the rows that were measured before: they took minutes.
    console.error(error);
    table.skip(name, 'this group failed');
    process.exitCode = 1;
  }
}
table.add(
  'share of the processors used by other processes, before and after the run',
  Math.max(before, await busyShare(2_000)),
  '',
  below(0.1),
);
table.print();
