import { expect, test } from 'vitest';
import { IpcCalls } from '../../src/cluster/ipc-calls.js';

test('each asker gets the answer to its own question, in whatever order they come', async () => {
  const questions = new IpcCalls<string>(10_000);
  const ids: number[] = [];
  const answers = ['a', 'b'].map(() => questions.ask((id) => ids.push(id)));
  questions.answer(ids[1] as number, 'second');
  questions.answer(ids[0] as number, 'first');
  questions.answer(ids[0] as number, 'too late');
  expect(await Promise.all(answers)).toEqual(['first', 'second']);
});

test('nobody waits for an answer that is late, or cannot come any more', async () => {
  expect(await new IpcCalls<string>(1).ask(() => undefined)).toBe(undefined);
  const questions = new IpcCalls<string>(10_000);
  const answer = questions.ask(() => undefined);
  questions.abandon();
  expect(await answer).toBe(undefined);
});
