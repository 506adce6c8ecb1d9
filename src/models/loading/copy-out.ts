import { RefusedError } from '../../errors.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import type { Notify } from '../private-copy/notify.js';
import { PrivateCopy } from '../private-copy/private-copy.js';
import { inspectGraph } from './inspect-graph.js';
import { readVersionFiles, type VersionFiles } from './version-files.js';

/** Makes the copy of a version with external weights for the engine. Removed files of the copy are made again. */
export function copyOut(
  { path, manifest, identity, model }: VersionFiles,
  { externalFiles: files }: ModelGraph,
  signal: AbortSignal,
  onNotice: Notify | undefined,
): Promise<PrivateCopy> {
  const { name, version, sha256 } = manifest;
  const reread = async (): Promise<Uint8Array> => {
    const read = await readVersionFiles(path, name, version);
    if (read.identity !== identity)
      throw new RefusedError('metadata.json has changed since the version was loaded');
    return (await inspectGraph(read.model)).model;
  };
  const onRemade = () =>
    onNotice?.('the private copy of a version was missing or changed, and was made again', {
      model: name,
      version,
    });
  return PrivateCopy.make({ weights: { path, sha256, files }, reread }, model, { signal, onRemade });
}
