/** An entry of the admission log as the script writes it: its time, the count before it, the count including it. */
export function entry(at: number, before: number, withThese: number): Buffer {
  const bytes = Buffer.alloc(24);
  for (const [k, value] of [at, before, withThese].entries()) bytes.writeDoubleLE(value, 8 * k);
  return bytes;
}
