/** An entry of a log as the script writes it: when, how many before, how many with these. */
export function entry(at: number, before: number, withThese: number): Buffer {
  const bytes = Buffer.alloc(24);
  for (const [k, value] of [at, before, withThese].entries()) bytes.writeDoubleLE(value, 8 * k);
  return bytes;
}
