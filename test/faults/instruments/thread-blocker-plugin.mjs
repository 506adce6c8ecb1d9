// Loaded into a server under test: SIGUSR2 holds its thread until it has computed for BLOCK_MS, as no model can that is
// proven safe there. The file BLOCK_DONE is written then.
import { writeFileSync } from 'node:fs';

let blocks = 0;
process.on('SIGUSR2', () => {
  const before = process.threadCpuUsage?.() ?? process.cpuUsage();
  const computed = () => {
    const { user, system } = process.threadCpuUsage?.(before) ?? process.cpuUsage(before);
    return (user + system) / 1_000;
  };
  while (computed() < Number(process.env.BLOCK_MS));
  blocks += 1;
  writeFileSync(process.env.BLOCK_DONE, String(blocks));
});
