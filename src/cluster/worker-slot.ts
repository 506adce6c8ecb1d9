import cluster, { type Worker } from 'node:cluster';
import { longLifeMs, pauseAfter } from '../time/backoff.js';
import { noteHandedConnections } from './handed-connections.js';
import { Heartbeat } from './heartbeat.js';
import { IpcCalls } from './ipc-calls.js';
import {
  type ClusterFacts,
  patienceMs,
  type Question,
  type StartSummary,
  type Subject,
  type SupervisorMessage,
  type WorkerFacts,
  type WorkerMessage,
} from './messages.js';
import { replacementVariable, workerVariable } from './worker-link.js';

/** A worker that does not answer within this time is left out of the report on all workers. */
const maxAnswerMs = 500;

export interface WorkerEnd {
  readonly pid: number | undefined;
  readonly how: string;
  readonly code: number | null;
  readonly signal: string | null;
}

export interface WorkerSlotEvents {
  onListening(url: string): void;
  onLoaded(summary: StartSummary): void;
  onFailure(lines: readonly string[]): void;
  onSilence(pid: number | undefined): void;
  onEnd(end: WorkerEnd): void;
  onAsk(question: Question): Promise<ClusterFacts[Subject]>;
}

/** Holds one worker at a time; after its end `restart` starts the next one. */
export class WorkerSlot {
  readonly number: number;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #events: WorkerSlotEvents;
  readonly #watch: Heartbeat;
  readonly #questions = new IpcCalls<WorkerFacts[Subject]>(maxAnswerMs);
  #worker: Worker | undefined;
  #listensSince: number | undefined;
  #hasListened = false;
  #isLoaded = false;
  #hasLoaded = false;
  /** Workers in a row that ended soon after their start. */
  #deaths = 0;
  #timer: NodeJS.Timeout | undefined;

  /** A listening worker that does not answer for `silenceTimeoutMs` is killed. */
  constructor(
    number: number,
    environment: NodeJS.ProcessEnv,
    silenceTimeoutMs: number,
    events: WorkerSlotEvents,
  ) {
    this.number = number;
    this.#environment = { ...environment, [workerVariable]: String(number) };
    this.#events = events;
    this.#watch = new Heartbeat(silenceTimeoutMs, {
      onAsk: () => void this.ask('readiness'),
      onLost: () => {
        this.#events.onSilence(this.#worker?.process.pid);
        this.#worker?.process.kill('SIGKILL');
      },
    });
  }

  get isListening(): boolean {
    return this.#listensSince !== undefined;
  }

  /** The worker listens and answers the supervisor. */
  get isRunning(): boolean {
    return this.isListening && !this.#watch.isSilent;
  }

  get hasListened(): boolean {
    return this.#hasListened;
  }

  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Whether any worker in this slot has loaded its models: the configuration is sound then. */
  get hasLoaded(): boolean {
    return this.#hasLoaded;
  }

  get isEmpty(): boolean {
    return this.#worker === undefined;
  }

  start(): void {
    const more = this.#hasLoaded ? { [replacementVariable]: '1' } : {};
    const worker = cluster.fork({ ...this.#environment, ...more });
    this.#worker = worker;
    worker.on('message', (message: WorkerMessage) => this.#receive(worker, message));
    const connections = noteHandedConnections(worker.process);
    const { pid } = worker.process;
    worker.on('error', (error) => {
      // Without a pid the process never started, as at the limit of processes, so that no `close` follows.
      if (pid === undefined) this.#end(worker, { pid, how: error.message, code: null, signal: null });
    });
    // `close` comes after the channel has closed too: the worker's last message has been read by then.
    worker.process.once('close', (code, signal) => {
      connections.close();
      this.#end(worker, { pid, how: signal ?? `exit code ${code}`, code, signal });
    });
  }

  /** Starts the next worker after the back-off pause. Returns the pause in milliseconds. */
  restart(): number {
    const pauseMs = pauseAfter(this.#deaths);
    this.#timer = setTimeout(() => this.start(), pauseMs);
    return pauseMs;
  }

  ask<S extends Subject>(subject: S, about?: readonly string[]): Promise<WorkerFacts[S] | undefined> {
    // The worker answers with the type that belongs to the subject.
    return this.#questions.ask(
      (id) => this.#send({ kind: 'ask', id, subject, about }),
      patienceMs[subject] ?? maxAnswerMs,
    ) as Promise<WorkerFacts[S] | undefined>;
  }

  reload(): void {
    this.#send({ kind: 'reload' });
  }

  /** Sends a signal to the worker. Cancels a pending restart and stops the heartbeat. */
  end(signal: NodeJS.Signals): void {
    clearTimeout(this.#timer);
    this.#watch.stop();
    this.#worker?.process.kill(signal);
  }

  #send(message: SupervisorMessage): void {
    // A failed send is ignored: the worker has ended, and `close` reports that.
    this.#worker?.send(message, () => undefined);
  }

  #receive(worker: Worker, message: WorkerMessage): void {
    this.#watch.hear();
    switch (message.kind) {
      case 'listening':
        this.#listensSince = performance.now();
        this.#hasListened = true;
        this.#watch.start();
        this.#events.onListening(message.url);
        return;
      case 'loaded':
        this.#isLoaded = true;
        this.#hasLoaded = true;
        this.#events.onLoaded(message.summary);
        return;
      case 'failed':
        this.#events.onFailure(message.lines);
        return;
      case 'answer':
        this.#questions.answer(message.id, message.facts);
        return;
      case 'ask':
        void this.#events.onAsk(message).then((facts) => {
          // The slot may hold another worker by now, which did not ask.
          if (worker === this.#worker) this.#send({ kind: 'answer', id: message.id, facts });
        });
        return;
      default:
        message satisfies never;
    }
  }

  #end(worker: Worker, end: WorkerEnd): void {
    if (worker !== this.#worker) return;
    this.#watch.stop();
    // Time spent stuck is not uptime: a worker that hangs soon after its start counts as a death in a row.
    const isOld = this.#listensSince !== undefined && this.#watch.lastSign - this.#listensSince >= longLifeMs;
    this.#deaths = isOld ? 1 : this.#deaths + 1;
    this.#worker = undefined;
    this.#listensSince = undefined;
    this.#isLoaded = false;
    this.#questions.abandon();
    this.#events.onEnd(end);
  }
}
