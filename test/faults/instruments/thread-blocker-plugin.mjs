// Loaded into a server under test. SIGUSR2 blocks the main thread until it has used BLOCK_MS of processor time, which
// no model on that thread can do: only proven operators run there. Then the plugin writes the file BLOCK_DONE.
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
