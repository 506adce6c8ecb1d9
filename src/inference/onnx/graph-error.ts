import { LimitError, ProtobufError } from '../protobuf/protobuf-reader.js';

/** Bytes that are no ONNX model. The message reads on from the file's name: `is not an ONNX model: …`. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}

/** Turns the fault that `read` finds in the bytes into one that names the model. */
export function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw toGraphError(cause);
  }
}

/** A fault in the bytes as one that names the model; anything else as it is. */
export function toGraphError(cause: unknown): unknown {
  if (!(cause instanceof ProtobufError)) return cause;
  const what = cause instanceof LimitError ? 'is larger than a model can be' : 'is not an ONNX model';
  return new GraphError(`${what}: it ${cause.message}`, { cause });
}
