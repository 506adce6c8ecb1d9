import { resolve } from 'node:path';
import fp from 'fastify-plugin';
import { readLogTarget, readShare } from '../../config/prediction-log.js';
import type { Config } from '../../config/read-config.js';
import { ConfigError, messageOf, RefusedError } from '../../errors.js';
import { toLoggedError } from '../../log/logged-error.js';
import { createLineWriter } from '../../monitoring/prediction-log/line-writer.js';
import { LogFile } from '../../monitoring/prediction-log/log-file.js';
import { PredictionLog } from '../../monitoring/prediction-log/prediction-log.js';
import { findUnusedRules, type RedactionRules } from '../../monitoring/prediction-log/redaction.js';
import type { LogSink } from '../../monitoring/prediction-log/sink.js';
import { openStandardOutput } from '../../monitoring/prediction-log/standard-output.js';
import { redisPrefix } from '../redis.js';

type PredictionLogConfig = Pick<Config, Extract<keyof Config, `PREDICTION_LOG${string}`>>;

const warnEveryMs = 60_000;
const minHashKeyCharacters = 16;

/** Writes the prediction log. A log that cannot be written costs no answer: see `PredictionLog`. */
export default fp<PredictionLogConfig>(
  async function predictionLogPlugin(app, config) {
    const target = readLogTarget(config.PREDICTION_LOG) ?? 'off';
    if (target === 'off') return;
    const rules = readRules(config);
    const sample = readShare(config.PREDICTION_LOG_SAMPLE) ?? 1;
    const logsBatches = config.PREDICTION_LOG_BATCHES === 'on';
    const writeLine = createLineWriter({ rules, sample, logsBatches });
    const lines = app.metrics.counter(
      'prediction_log_lines_total',
      'Lines of the prediction log, by result: written, dropped (they could not be written in time)',
    );
    const written = lines.series({ result: 'written' });
    const dropped = lines.series({ result: 'dropped' });
    const failures = app.metrics
      .counter('prediction_log_failures_total', 'Failed writes and rotations of the prediction log')
      .series({});
    let unreported = 0;
    let lastError: unknown;
    let warnedAt = Number.NEGATIVE_INFINITY;
    const warn = (): void => {
      if ((unreported === 0 && lastError === undefined) || performance.now() - warnedAt < warnEveryMs) return;
      const about = {
        dropped: unreported,
        ...(lastError !== undefined && { err: toLoggedError(lastError) }),
      };
      app.log.warn(
        about,
        `the prediction log fails: ${lastError === undefined ? 'its target is too slow' : messageOf(lastError)}`,
      );
      warnedAt = performance.now();
      unreported = 0;
      lastError = undefined;
    };
    const onFailure = (error: unknown): void => {
      failures.add(1);
      lastError = error;
      warn();
    };
    const sink = await openSink(target, onFailure);
    const log = new PredictionLog(sink, {
      onWritten: (count) => written.add(count),
      onDropped(count) {
        dropped.add(count);
        unreported += count;
      },
      onFailure,
    });
    const timer = setInterval(warn, 1_000).unref();
    app.predictions.subscribe(
      (event) => {
        const line = writeLine(event);
        if (line !== undefined) log.write(line);
      },
      logsBatches ? { needsJobRows: true, isBehind: () => log.isBehind } : {},
    );
    app.modelsLoaded.then(warnOfUnusedRules, () => undefined);
    app.addHook('onClose', async () => {
      await log.close();
      clearInterval(timer);
      warnedAt = Number.NEGATIVE_INFINITY;
      warn();
    });

    async function openSink(
      to: Exclude<typeof target, 'off'>,
      onTrouble: (error: unknown) => void,
    ): Promise<LogSink> {
      if (to === 'stdout') return openStandardOutput();
      if (to === 'redis') {
        if (app.redis === null) throw new ConfigError(['PREDICTION_LOG: redis needs a REDIS_URL']);
        // Imported here: a server without Redis does not need it.
        const { createRedisStream } = await import('../../monitoring/prediction-log/redis-stream.js');
        const key = `${redisPrefix}predictions`;
        return createRedisStream(app.redis, key, config.PREDICTION_LOG_REDIS_MAX_LINES);
      }
      const file = new LogFile({
        path: resolve(to.path),
        maxBytes: config.PREDICTION_LOG_MAX_BYTES,
        maxAgeMs: config.PREDICTION_LOG_MAX_AGE_SECONDS * 1_000,
        keep: config.PREDICTION_LOG_KEEP,
        onTrouble,
      });
      try {
        await file.open();
      } catch (error) {
        if (error instanceof RefusedError) throw new ConfigError([`PREDICTION_LOG: ${error.message}`]);
        // A full or broken disk must not keep the server from its start: the log tries again at each write.
        onTrouble(error);
      }
      return file;
    }

    function warnOfUnusedRules(): void {
      const models = app.registry
        .list()
        .flatMap(({ name, versions }) =>
          [...versions.values()].flatMap((it) =>
            it.state === 'ready' ? [{ name, features: it.loaded.manifest.features ?? [] }] : [],
          ),
        );
      const unused = findUnusedRules(rules, models);
      if (unused.length === 0) return;
      app.log.warn(
        { names: unused },
        'no loaded model has these features of PREDICTION_LOG_OMIT, _HASH or _MASK: if a name is misspelt, the feature is logged',
      );
    }
  },
  { name: 'prediction-log', fastify: '5.x', dependencies: ['metrics', 'predictor', 'redis', 'registry'] },
);

/** Throws `ConfigError`. The message never has the key. */
function readRules(config: PredictionLogConfig): RedactionRules {
  const list = (text: string | undefined) =>
    (text ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
  const { PREDICTION_LOG_HASH_KEY: hashKey } = config;
  const rules = {
    omit: list(config.PREDICTION_LOG_OMIT),
    hash: list(config.PREDICTION_LOG_HASH),
    mask: list(config.PREDICTION_LOG_MASK),
    hashKey,
  };
  if (rules.hash.length > 0 && (hashKey ?? '').length < minHashKeyCharacters) {
    const problem = hashKey === undefined ? 'is missing, and PREDICTION_LOG_HASH needs it' : 'is too short';
    throw new ConfigError([
      `PREDICTION_LOG_HASH_KEY: ${problem}: take at least ${minHashKeyCharacters} random characters`,
    ]);
  }
  return rules;
}
