/** A protobuf message has less than 2 GiB. A larger model has external weights. */
export const maxModelBytes = 2 ** 31 - 1;

/** Other kinds of files that users take for a model, by their first bytes. */
const kinds: readonly (readonly [start: string | RegExp, kind: string])[] = [
  [/^\x80[\x02-\x05]/, 'a pickle of Python (pickle, joblib or an old torch.save)'],
  [
    /^(?:\x78[\x01\x5e\x9c\xda]|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd)/,
    'a compressed file (joblib or an archive)',
  ],
  ['\x89HDF\r\n', 'an HDF5 file (Keras)'],
  ['\x93NUMPY', 'an array of NumPy'],
  ['CBM1', 'a model of CatBoost'],
  ['GGUF', 'a GGUF file'],
  [/^[\s\S]{4}TFL3/, 'a TensorFlow Lite model'],
  [/^.[\s\S]{7}\{\s*"/, 'a safetensors file'],
  [/^tree\s/, 'a text model of LightGBM'],
  [/^\s*[{[]/, 'JSON text'],
  [/^\s*(?:<!doctype html|<html)/i, 'a page of HTML, perhaps from a download that needs a login'],
  [/^\s*<\?xml/, 'XML text (PMML or OpenVINO)'],
  [/^\s*(?:ir_version\s*:|<\s*ir_version)/, 'an ONNX model as text'],
  [/^binf/, 'a model of XGBoost'],
];

const zipMembers: readonly (readonly [mark: string, kind: string])[] = [
  ['data.pkl', 'a file of torch.save or torch.jit.save'],
  ['constants.pkl', 'a file of torch.jit.save'],
  ['config.json', 'a Keras model'],
  ['.npy', 'arrays of NumPy'],
];

/** The kind of a file, with advice. Only for files that the reader refused: an ONNX model may begin with any field. */
export function describeOtherFile(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 4_096)).toString(
    'latin1',
  );
  const kind = nameKind(start);
  return kind === undefined ? undefined : `is not an ONNX model: it is ${kind}; ${exportHint(kind)}`;
}

function nameKind(start: string): string | undefined {
  if (start.startsWith('PK\x03\x04')) {
    const member = zipMembers.find(([mark]) => start.includes(mark));
    return member?.[1] ?? 'a zip archive';
  }
  const found = kinds.find(([mark]) =>
    typeof mark === 'string' ? start.startsWith(mark) : mark.test(start),
  );
  if (found !== undefined) return found[1];
  if (isTensorFlow(start)) return 'a graph of TensorFlow';
  return undefined;
}

/** A SavedModel begins with its schema version and first graph, a frozen graph with its first node. */
function isTensorFlow(start: string): boolean {
  const isSaved =
    start.startsWith('\x08\x01\x12') && /MergeV2|tensorflow|serve|Placeholder|VarHandleOp/.test(start);
  return isSaved || (start.startsWith('\x0a') && /Placeholder|VarHandleOp|Const\x22?/.test(start));
}

function exportHint(kind: string): string {
  const by: readonly (readonly [RegExp, string])[] = [
    [
      /pickle|joblib/,
      'export it with skl2onnx or onnxmltools (scikit-learn), or torch.onnx.export (PyTorch)',
    ],
    [/torch/, 'export it with torch.onnx.export'],
    [/Keras|TensorFlow/, 'export it with tf2onnx'],
    [/CatBoost/, 'export it with model.save_model(path, format="onnx")'],
    [/LightGBM|XGBoost|JSON/, 'export it with onnxmltools'],
    [/as text/, 'save it in the binary form with onnx.save'],
    [/HTML/, 'download it again'],
  ];
  return by.find(([pattern]) => pattern.test(kind))?.[1] ?? 'export the model as ONNX';
}
