/** More inputs or outputs are not described. */
const maxTensors = 64;
/** The names of tensors come from the manifest's graph once the check has passed. */
const maxDimensions = 16;

/**
 * The shapes of tensors by name, as the members of a JSON object: `"image":{"shape":[1,3,224,224]}`. It reads the first
 * item of each dimension and `shape`, never the elements: a body may have megabytes. Call it for checked bodies only.
 */
export function describeShapes(tensors: unknown): string {
  if (typeof tensors !== 'object' || tensors === null || Array.isArray(tensors)) return '';
  const some = Object.entries(tensors).slice(0, maxTensors);
  return writeShapes(Object.fromEntries(some.map(([name, value]) => [name, shapeOf(value)])));
}

/** The same for shapes that are known. */
export function writeShapes(shapes: Readonly<Record<string, readonly number[]>>): string {
  return Object.entries(shapes)
    .slice(0, maxTensors)
    .map(([name, shape]) => `${JSON.stringify(name)}:{"shape":${JSON.stringify(shape)}}`)
    .join();
}

function shapeOf(value: unknown): readonly number[] {
  const shape: number[] = [];
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const given = (value as { readonly shape?: unknown }).shape;
    return Array.isArray(given) ? given.slice(0, maxDimensions).map(Number) : shape;
  }
  for (let at = value; Array.isArray(at) && shape.length < maxDimensions; at = at[0]) shape.push(at.length);
  return shape;
}
