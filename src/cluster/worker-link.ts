import { IpcCalls } from './ipc-calls.js';
import type {
  ClusterFacts,
  StartSummary,
  Subject,
  SupervisorMessage,
  WorkerFacts,
  WorkerMessage,
} from './messages.js';

/** What makes a process a worker: the number of its slot, in the environment that its supervisor gave it. */
export const workerVariable = 'SARDONYX_WORKER';
/** Set for a worker in whose slot another one was before: it takes no connection before its models are loaded. */
export const replacementVariable = 'SARDONYX_WORKER_REPLACES';

/** Longer than the supervisor waits for a worker: beyond it the supervisor itself is stuck. */
const maxWaitMs = 1_500;

/** A worker's end of the channel to its supervisor. */
export interface WorkerLink {
  /** Of the worker's slot, from 1; the next process in that slot has it again. */
  readonly number: number;
  /** Whether it replaces another one, while the others answer. */
  readonly isReplacement: boolean;
  /** Says how this worker answers what it is asked; before that it is not asked. */
  answerWith(
    facts: {
      readonly [S in Subject]: (about: readonly string[]) => WorkerFacts[S] | Promise<WorkerFacts[S]>;
    },
  ): void;
  /** Asks about all workers. Resolves with undefined when the supervisor does not answer. */
  ask<S extends Subject>(subject: S, about?: readonly string[]): Promise<ClusterFacts[S] | undefined>;
  tellListening(url: string): void;
  tellLoaded(summary: StartSummary): void;
  /** Tells why this worker cannot start, a line a problem. Resolves once that is sent. */
  tellFailure(lines: readonly string[]): Promise<void>;
  /** Says what reads files again; what the supervisor has asked for before is made up for at once. */
  reloadWith(reload: () => void): void;
  /**
   * For a worker that no longer listens, before its process ends. Resolves once each connection that it was still
   * handed has gone back to its supervisor, which hands it to another worker.
   */
  takeLeave(): Promise<void>;
}

/** The link of a process that a supervisor started; undefined in any other. */
export function connectToSupervisor(
  environment: Readonly<Record<string, string | undefined>>,
): WorkerLink | undefined {
  const number = Number(environment[workerVariable] ?? 0);
  if (number === 0 || process.send === undefined) return undefined;

  const questions = new IpcCalls<ClusterFacts[Subject]>(maxWaitMs);
  let facts: Parameters<WorkerLink['answerWith']>[0] | undefined;
  // A message that is lost has lost its reader: this process ends when the channel does.
  const send = (message: WorkerMessage, then: () => void = () => undefined) =>
    process.send?.(message, undefined, {}, then);
  const ask = <S extends Subject>(subject: S, about?: readonly string[]) =>
    // The supervisor answers a question about a subject with the facts of that subject.
    questions.ask((id) => send({ kind: 'ask', id, subject, about })) as Promise<ClusterFacts[S] | undefined>;
  let isReloadDue = false;
  let reload = () => {
    isReloadDue = true;
  };

  process.on('message', async (message: SupervisorMessage) => {
    if (message.kind === 'answer') questions.answer(message.id, message.facts);
    else if (message.kind === 'reload') reload();
    else if (facts !== undefined) {
      send({ kind: 'answer', id: message.id, facts: await facts[message.subject](message.about ?? []) });
    }
  });

  return {
    number,
    isReplacement: environment[replacementVariable] !== undefined,
    answerWith: (given) => {
      facts = given;
    },
    ask,
    tellListening: (url) => send({ kind: 'listening', url }),
    tellLoaded: (summary) => send({ kind: 'loaded', summary }),
    tellFailure: (lines) => new Promise((resolve) => send({ kind: 'failed', lines }, resolve)),
    reloadWith(next) {
      reload = next;
      if (isReloadDue) next();
    },
    async takeLeave() {
      // The channel keeps its order. The supervisor answers after it has read that this worker does not listen, and
      // after its last connection to it; `readiness` is the question that it answers without this worker.
      await ask('readiness');
    },
  };
}
