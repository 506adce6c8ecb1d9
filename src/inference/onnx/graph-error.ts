import { LimitError, ProtobufError } from '../protobuf/protobuf-reader.js';

/** A fault in an ONNX file. The message continues a sentence after the file's name: `is not an ONNX model: …`. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}

export function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw toGraphError(cause);
  }
}

/** Converts a `ProtobufError`. Other errors are returned unchanged. */
export function toGraphError(cause: unknown): unknown {
  if (!(cause instanceof ProtobufError)) return cause;
  const what = cause instanceof LimitError ? 'is larger than a model can be' : 'is not an ONNX model';
  return new GraphError(`${what}: it ${cause.message}`, { cause });
}
