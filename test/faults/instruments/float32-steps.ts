/** The distance of two float32 in ULP; 0 for equal numbers and for +0 and -0. */
export function float32Steps(x: number, y: number): number {
  const [a = 0, b = 0] = new Int32Array(Float32Array.of(x, y).buffer);
  return Math.abs((a < 0 ? -(a & 0x7fffffff) : a) - (b < 0 ? -(b & 0x7fffffff) : b));
}
