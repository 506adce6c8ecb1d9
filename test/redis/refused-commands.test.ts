import { describe, expect, test } from 'vitest';
import { RefusedCommands } from '../../src/redis/refused-commands.js';

function setUp() {
  let moment = 0;
  const reports: string[] = [];
  const counted: string[] = [];
  const refused = new RefusedCommands(() => moment, {
    onRefused: (commands) => reports.push(commands.join()),
    onRefusal: (command) => counted.push(command),
  });
  return { refused, reports, counted, pass: (ms: number) => (moment += ms) };
}

describe('refused commands', () => {
  test('are reported once, counted each time, and cleared by the next probe that may run them', () => {
    const { refused, reports, counted, pass } = setUp();
    for (let k = 0; k < 3; k += 1) {
      refused.replace(['time', 'scan']);
      pass(1_000);
    }
    expect(refused.names).toEqual(['scan', 'time']);
    refused.replace(['scan']);
    pass(1);
    refused.replace([]);
    expect(reports).toEqual(['scan,time', 'scan', '']);
    expect(counted).toHaveLength(7);
  });

  test('found outside a probe stay for a minute, even if a probe succeeds', () => {
    const { refused, reports, pass } = setUp();
    refused.note('set');
    refused.note('set');
    pass(59_000);
    refused.replace([]);
    expect(refused.names).toEqual(['set']);
    pass(1_000);
    refused.replace([]);
    expect(reports).toEqual(['set', '']);
  });
});
