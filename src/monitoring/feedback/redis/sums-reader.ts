import type { Script } from '../../../redis/script.js';
import { runInSlices } from '../../../time/slices.js';
import { ClosedCells } from '../closed-cells.js';
import type { OutcomeShape } from '../outcome-shape.js';
import { addVersions, type SumsByVersion, toVersionCells } from '../quality-cells.js';
import { type ReadSums, shareReads } from '../shared-reads.js';
import { slotsPerWindow } from '../windowed-cells.js';
import { sizesScript, sumsScript } from './redis-scripts.js';
import type { Damage } from './stored-feedback.js';
import { SlotReader } from './stored-sums.js';
import type { VersionShapes } from './version-shapes.js';

/** Runs a script that returns so many items. Undefined if Redis could not serve. */
type Run = (
  script: Script,
  args: readonly (string | number)[],
  items: number,
) => Promise<readonly unknown[] | undefined>;

/** Seconds after which no server writes into a slot any more. The clocks of servers differ by less. */
const settledAfter = 60;
/** Sums in one reply: some milliseconds of this thread. Those of one slot come together, however many there are. */
const sumsAReply = 2_000;

export function slotAt(seconds: number, windowSeconds: number): number {
  return Math.floor(seconds / (windowSeconds / slotsPerWindow));
}

/** Reads the sums of the window from Redis. Slots that no longer change are read once, unless their size changes. */
export function createSumsReader(
  run: Run,
  shapes: VersionShapes,
  windowSeconds: number,
  onDamage: (what: Damage) => void,
): ReadSums {
  const closed = new ClosedCells();

  return shareReads(async (model) => {
    const now = Date.now() / 1_000;
    const last = slotAt(now, windowSeconds);
    const firstOpen = slotAt(now - settledAfter, windowSeconds);
    const asked = Array.from({ length: slotsPerWindow }, (_, k) => last - k);
    const reply = await run(sizesScript, asked, slotsPerWindow + 1);
    if (!Array.isArray(reply?.[0])) return undefined;
    const shapeOf = createShapeOf(reply[0], shapes);
    const sizes = new Map(asked.map((slot, k) => [slot, Number(reply[k + 1])]));
    const settled = new Map([...sizes].filter(([slot, size]) => slot < firstOpen && size > 0));
    const lacking = closed.keepOnly(settled);
    const wanted = asked.filter((slot) => sizes.get(slot) !== 0 && (slot >= firstOpen || lacking.has(slot)));

    const sums: SumsByVersion = new Map();
    const reader = new SlotReader(shapeOf, onDamage);
    for (const slots of toReplies(wanted, sizes)) {
      const found = await run(sumsScript, slots, slots.length);
      if (!found?.every(Array.isArray)) return undefined;
      for (const [k, slot] of slots.entries()) {
        const fields = found[k] as readonly unknown[];
        const isSettled = lacking.has(slot);
        const { versions, isWhole } = await runInSlices(reader.read(fields, isSettled ? undefined : model));
        // A damaged slot may be repaired, and a shape may come later.
        if (isSettled && isWhole) await runInSlices(closed.add(slot, fields.length / 2, versions));
        else {
          const own = versions.filter((it) => model === undefined || it.model === model);
          await runInSlices(addVersions(sums, own));
        }
      }
    }
    await runInSlices(addVersions(sums, closed.of(model)));
    return runInSlices(toVersionCells(sums));
  });
}

function createShapeOf(fields: readonly unknown[], shapes: VersionShapes) {
  const known = new Map<string, OutcomeShape | undefined>();
  for (let k = 0; k < fields.length; k += 2) {
    const name = String(fields[k]);
    known.set(name, shapes.read(name, String(fields[k + 1])));
  }
  return (name: string) => known.get(name) ?? shapes.read(name, '');
}

/** Slots with few sums come together, so that the reader waits less often. */
function toReplies(slots: readonly number[], sizes: ReadonlyMap<number, number>): readonly number[][] {
  const replies: number[][] = [];
  let room = 0;
  for (const slot of slots) {
    const size = sizes.get(slot) ?? 0;
    const into = replies.at(-1);
    if (into === undefined || size > room) {
      replies.push([slot]);
      room = sumsAReply - size;
    } else {
      into.push(slot);
      room -= size;
    }
  }
  return replies;
}
