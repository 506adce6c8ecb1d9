import { describe, expect, test } from 'vitest';
import { RefusedCommands } from '../../src/redis/refused-commands.js';

function setUp() {
  let moment = 0;
  const told: string[] = [];
  const counted: string[] = [];
  const refused = new RefusedCommands(() => moment, {
    onRefused: (commands) => told.push(commands.join()),
    onRefusal: (command) => counted.push(command),
  });
  return { refused, told, counted, pass: (ms: number) => (moment += ms) };
}

describe('refused commands', () => {
  test('are told once, counted each time, and taken back by the next probe that may run them', () => {
    const { refused, told, counted, pass } = setUp();
    for (let k = 0; k < 3; k += 1) {
      refused.replace(['time', 'scan']);
      pass(1_000);
    }
    expect(refused.names).toEqual(['scan', 'time']);
    refused.replace(['scan']);
    pass(1);
    refused.replace([]);
    expect(told).toEqual(['scan,time', 'scan', '']);
    expect(counted).toHaveLength(7);
  });

  test('that a question has met stay for a minute, though a probe does not meet them', () => {
    const { refused, told, pass } = setUp();
    refused.note('set');
    refused.note('set');
    pass(59_000);
    refused.replace([]);
    expect(refused.names).toEqual(['set']);
    pass(1_000);
    refused.replace([]);
    expect(told).toEqual(['set', '']);
  });
});
