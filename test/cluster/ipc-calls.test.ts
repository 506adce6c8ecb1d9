import { expect, test } from 'vitest';
import { IpcCalls } from '../../src/cluster/ipc-calls.js';

test('each question resolves with its own answer, in any order of the answers', async () => {
  const questions = new IpcCalls<string>(10_000);
  const ids: number[] = [];
  const answers = ['a', 'b'].map(() => questions.ask((id) => ids.push(id)));
  questions.answer(ids[1] as number, 'second');
  questions.answer(ids[0] as number, 'first');
  questions.answer(ids[0] as number, 'too late');
  expect(await Promise.all(answers)).toEqual(['first', 'second']);
});

test('a question resolves with undefined after its time-out, or when it is abandoned', async () => {
  expect(await new IpcCalls<string>(1).ask(() => undefined)).toBe(undefined);
  const questions = new IpcCalls<string>(10_000);
  const answer = questions.ask(() => undefined);
  questions.abandon();
  expect(await answer).toBe(undefined);
});
