import type { StartSummary } from '../banner.js';
import { Questions } from './questions.js';
import type { Subject, SupervisorMessage, WholeFacts, WorkerFacts, WorkerMessage } from './worker-message.js';

/** What makes a process a worker: the number of its place, in the environment that its supervisor gave it. */
export const workerVariable = 'SARDONYX_WORKER';

/** Longer than the supervisor waits for a worker: beyond it the supervisor itself is stuck. */
const longestWaitMs = 1_500;

/** A worker's end of the channel to its supervisor. */
export interface WorkerLink {
  /** Of the worker's place, from 1; the next process in that place has it again. */
  readonly number: number;
  /** Says how this worker answers what it is asked; before that it is not asked. */
  answerWith(
    facts: {
      readonly [S in Subject]: (about: readonly string[]) => WorkerFacts[S] | Promise<WorkerFacts[S]>;
    },
  ): void;
  /** Asks about all workers. Resolves with undefined when the supervisor does not answer. */
  ask<S extends Subject>(subject: S, about?: readonly string[]): Promise<WholeFacts[S] | undefined>;
  tellListening(summary: StartSummary): void;
  /** Tells why this worker cannot start, a line a problem. */
  tellFailure(lines: readonly string[]): void;
  /** Lets the process end when nothing else keeps it. */
  release(): void;
}

/** The link of a process that a supervisor started; undefined in any other. */
export function connectToSupervisor(
  environment: Readonly<Record<string, string | undefined>>,
): WorkerLink | undefined {
  const number = Number(environment[workerVariable] ?? 0);
  if (number === 0 || process.send === undefined) return undefined;

  const questions = new Questions<WholeFacts[Subject]>(longestWaitMs);
  let facts: Parameters<WorkerLink['answerWith']>[0] | undefined;
  // A message that is lost has lost its reader: this process ends when the channel does.
  const send = (message: WorkerMessage) => process.send?.(message, undefined, {}, () => undefined);

  process.on('message', async (message: SupervisorMessage) => {
    if (message.kind === 'answer') questions.answer(message.id, message.facts);
    else if (facts !== undefined) {
      send({ kind: 'answer', id: message.id, facts: await facts[message.subject](message.about ?? []) });
    }
  });

  return {
    number,
    answerWith: (given) => {
      facts = given;
    },
    // The supervisor answers a question about a subject with the facts of that subject.
    ask: <S extends Subject>(subject: S, about?: readonly string[]) =>
      questions.ask((id) => send({ kind: 'ask', id, subject, about })) as Promise<WholeFacts[S] | undefined>,
    tellListening: (summary) => send({ kind: 'listening', summary }),
    tellFailure: (lines) => send({ kind: 'failed', lines }),
    release: () => process.channel?.unref(),
  };
}
