import type { FastifyInstance } from 'fastify';
import type { ModelState } from '../../models/registry/choose-version.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { VersionCells } from '../../monitoring/feedback/quality-cells.js';
import { toFigures } from '../../monitoring/feedback/quality-figures.js';
import { findDecline, type QualityDecline } from '../../monitoring/feedback/training-figures.js';

/** What a person should look at in a version. */
export interface VersionFindings {
  readonly model: string;
  readonly version: string;
  /** The names of features and outputs that have drifted; the first ones of many. */
  readonly drifted: readonly string[];
  readonly drifted_count: number;
  readonly decline?: QualityDecline;
}

const maxNames = 2;
/** Sums change slowly, and are read from Redis or from other processes; several people may look at the page. */
const keepSumsMs = 15_000;

/**
 * Returns a function that lists versions with drift, or whose live quality is below their training figure. It computes no
 * drift: the server compares all versions each minute, and a version when a client requests its drift.
 */
export function createModelFindings(
  app: Pick<FastifyInstance, 'cluster' | 'drift'>,
  now: () => number = () => performance.now(),
): (models: readonly ModelState[]) => Promise<readonly VersionFindings[]> {
  let sums: Promise<readonly VersionCells[] | undefined> | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  const readSums = () => {
    if (sums === undefined || now() - readAt >= keepSumsMs) {
      readAt = now();
      sums = app.cluster.sums();
    }
    return sums;
  };
  return async (models) => {
    const cells = (await readSums()) ?? [];
    return models.flatMap(({ name, versions }) => {
      const own = cells.filter(({ model }) => model === name);
      return [...versions.values()].flatMap((state) => {
        if (state.state !== 'ready') return [];
        const { loaded } = state;
        const drifted = app.drift?.lastDrifted(loaded) ?? [];
        const decline = declineOf(loaded, own);
        if (drifted.length === 0 && decline === undefined) return [];
        return {
          model: name,
          version: loaded.version,
          drifted: drifted.slice(0, maxNames),
          drifted_count: drifted.length,
          ...(decline && { decline }),
        };
      });
    });
  };
}

function declineOf({ manifest, version }: LoadedVersion, cells: readonly VersionCells[]) {
  const own = cells.find((it) => it.version === version);
  if (own === undefined || manifest.metrics === undefined) return undefined;
  return findDecline(toFigures(own.shape, own.cells), manifest.metrics);
}
