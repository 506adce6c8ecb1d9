/** How many float32 lie between two of them: 0 where they are equal, and for the two zeros. */
export function float32Steps(x: number, y: number): number {
  const [a = 0, b = 0] = new Int32Array(Float32Array.of(x, y).buffer);
  return Math.abs((a < 0 ? -(a & 0x7fffffff) : a) - (b < 0 ? -(b & 0x7fffffff) : b));
}
