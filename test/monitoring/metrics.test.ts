import { expect, test } from 'vitest';
import { createMetrics } from '../../src/monitoring/metrics.js';

test('a source that fails does not keep the other metrics from a scrape, and is reported once until it works', async () => {
  const failures: string[] = [];
  const metrics = createMetrics({
    includesProcess: false,
    onFailure: (error, source) => failures.push(`${source}: ${(error as Error).message}`),
  });
  let isBroken = true;
  const fail = () => {
    if (isBroken) throw new Error('broken');
    return 7;
  };
  metrics.beforeScrape('rejects', async () => void fail());
  metrics.beforeScrape('throws', () => {
    fail();
    return Promise.resolve();
  });
  const gauge = metrics.gauge('updated', 'Set before each scrape').series({});
  metrics.beforeScrape('works', async () => gauge.set(3));
  metrics.gaugeOf('broken', 'Fails', fail);
  metrics.counter('sound_total', 'A counter').series({}).add(5);
  for (const _ of [1, 2]) {
    const text = await metrics.text();
    expect(text).toContain('sound_total 5');
    expect(text).toContain('updated 3');
    expect(text).not.toMatch(/^broken/m);
    expect(await metrics.snapshot()).toHaveLength(3);
  }
  expect(failures.sort()).toEqual(['broken: broken', 'rejects: broken', 'throws: broken']);
  isBroken = false;
  expect(await metrics.text()).toContain('broken 7');
  isBroken = true;
  await metrics.text();
  expect(failures).toHaveLength(6);
});
