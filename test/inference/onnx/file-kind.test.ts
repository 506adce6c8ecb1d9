import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readGraph } from '../../../src/inference/onnx/read-graph.js';
import * as cast from '../../helpers/onnx-models.js';

const latin1 = (text: string) => Buffer.from(text, 'latin1');
const zip = (member: string) => latin1(`PK\x03\x04\x00\x00\x08\x08${'\0'.repeat(18)}${member}PB`);
/** The header of a pickle of protocol 4, and of an object of scikit-learn in it. */
const pickle = latin1('\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x1bsklearn.linear_model');
const safetensors = Buffer.concat([
  latin1('\x3b\0\0\0\0\0\0\0'),
  latin1('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}     '),
]);
const savedModel = latin1('\x08\x01\x12\x20\x0a\x10\x12\x05serve*\x072.16.1');
const frozen = latin1('\x0a\x20\x0a\x01x\x12\x0bPlaceholder*\x0e');

describe('a file that is no ONNX model is named, with advice', () => {
  test.each<[what: string, bytes: Uint8Array, words: string]>([
    ['pickle', pickle, 'a pickle of Python (pickle, joblib or an old torch.save); export it with skl2onnx'],
    [
      'compressed joblib',
      deflateSync(pickle),
      'a compressed file (joblib or an archive); export it with skl2onnx',
    ],
    ['gzip', gzipSync(pickle), 'a compressed file'],
    [
      'torch.save',
      zip('archive/data.pkl'),
      'a file of torch.save or torch.jit.save; export it with torch.onnx.export',
    ],
    ['Keras 3', zip('config.json'), 'a Keras model; export it with tf2onnx'],
    ['NumPy arrays', zip('weights.npy'), 'arrays of NumPy'],
    ['a zip archive', zip('readme.txt'), 'a zip archive; export the model as ONNX'],
    ['Keras 2', latin1('\x89HDF\r\n\x1a\n\0\0'), 'an HDF5 file (Keras); export it with tf2onnx'],
    ['TensorFlow SavedModel', savedModel, 'a graph of TensorFlow; export it with tf2onnx'],
    ['TensorFlow frozen graph', frozen, 'a graph of TensorFlow; export it with tf2onnx'],
    ['TensorFlow Lite', latin1('\x1c\0\0\0TFL3\x14\0'), 'a TensorFlow Lite model; export it with tf2onnx'],
    ['safetensors', safetensors, 'a safetensors file'],
    [
      'CatBoost',
      latin1('CBM1\x10\0\0\0'),
      'a model of CatBoost; export it with model.save_model(path, format="onnx")',
    ],
    [
      'LightGBM',
      latin1('tree\nversion=v4\nnum_class=1\n'),
      'a text model of LightGBM; export it with onnxmltools',
    ],
    ['XGBoost', latin1('{"learner":{"attributes":{}}}'), 'JSON text; export it with onnxmltools'],
    ['PMML', latin1('<?xml version="1.0"?><PMML/>'), 'XML text'],
    [
      'a page of HTML',
      latin1('<!DOCTYPE html><html>'),
      'a page of HTML, perhaps from a download that needs a login; download it again',
    ],
    [
      'ONNX as text',
      latin1('ir_version: 8\nproducer_name: "x"\n'),
      'an ONNX model as text; save it in the binary form',
    ],
  ])('%s', (_, bytes, words) => {
    expect(() => readGraph(bytes)).toThrow(`is not an ONNX model: it is ${words}`);
  });

  test('a file of an unknown kind is refused with the reason of the reader', () => {
    expect(() => readGraph(latin1('hello there'))).toThrow(/^is not an ONNX model: it (?!is )/);
  });

  test('a model that begins like another kind of file is read', () => {
    const { buffer } = Uint8Array.from(cast.binaryClassifier());
    // The first field is unknown to the format, and its bytes look like a zip archive.
    const bytes = Buffer.concat([latin1('PK'), Buffer.from(buffer)]);
    expect(readGraph(bytes).outputs).toHaveLength(2);
  });
});
