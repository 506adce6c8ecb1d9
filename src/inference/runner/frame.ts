import { Buffer } from 'node:buffer';
import { fromBytes, toBytes } from '../tensors/bytes.js';
import type { ElementType, Tensor, Tensors } from '../tensors/tensor.js';

/** What a parent and its child exchange: a small message, and tensors as bytes. */
export interface Frame<Message> {
  readonly message: Message;
  readonly tensors: Tensors;
}

interface TensorHead {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly bytes: number;
}

/** A frame begins with the lengths of its head and its body, each an unsigned 32-bit number, little-endian. */
const prefixBytes = 8;
/** The body and each tensor begin at a multiple of this, so that typed arrays can be views of the frame. */
const alignment = 8;
const maxBytes = 2 ** 32 - 1;

/** Up to this size, copying the tensors behind the head costs less than further writes. */
const maxCopiedBytes = 65_536;

/**
 * The buffers of a frame, in order: lengths, head (the message and each tensor's name, type and dimensions as JSON),
 * each tensor's elements as they lie in memory. A small frame is one buffer. Throws `RangeError` from 4 GiB on.
 */
export function toFrame<Message>({ message, tensors }: Frame<Message>): readonly Uint8Array[] {
  const heads: TensorHead[] = [];
  const body: Uint8Array[] = [];
  let bodyBytes = 0;
  for (const name in tensors) {
    const { type, dims, data } = tensors[name] as Tensor;
    const bytes = toBytes(data);
    heads.push({ name, type, dims, bytes: bytes.byteLength });
    body.push(bytes);
    bodyBytes += bytes.byteLength + gapAfter(bytes.byteLength);
  }
  if (bodyBytes > maxBytes) throw new RangeError('the tensors of a run must have less than 4 GiB');
  const text = JSON.stringify([message, heads]);
  const textBytes = Buffer.byteLength(text);
  const headBytes = textBytes + gapAfter(textBytes);
  const isCopied = bodyBytes <= maxCopiedBytes;
  const first = Buffer.alloc(prefixBytes + headBytes + (isCopied ? bodyBytes : 0), ' ');
  first.writeUInt32LE(headBytes, 0);
  first.writeUInt32LE(bodyBytes, 4);
  first.write(text, prefixBytes);
  const parts: Uint8Array[] = [first];
  let at = prefixBytes + headBytes;
  for (const bytes of body) {
    const gap = gapAfter(bytes.byteLength);
    if (isCopied) {
      first.set(bytes, at);
      at += bytes.byteLength + gap;
    } else {
      parts.push(bytes);
      if (gap > 0) parts.push(new Uint8Array(gap));
    }
  }
  return parts;
}

function sizeAfter(prefix: Buffer): number {
  return prefix.readUInt32LE(0) + prefix.readUInt32LE(4);
}

/** `rest` is what follows the lengths. The tensors of the frame are views of it, not copies. */
function fromFrame<Message>(prefix: Buffer, rest: Buffer): Frame<Message> {
  const headBytes = prefix.readUInt32LE(0);
  // Both processes run this code: `toFrame` has written these bytes.
  const [message, heads] = JSON.parse(rest.toString('utf8', 0, headBytes)) as [Message, TensorHead[]];
  const tensors: Record<string, Tensor> = {};
  let at = headBytes;
  for (const { name, type, dims, bytes } of heads) {
    tensors[name] = { type, dims, data: fromBytes(type, rest.subarray(at, at + bytes)) };
    at += bytes + gapAfter(bytes);
  }
  return { message, tensors };
}

/** Reads frames from chunks of bytes, and calls `onFrame` for each complete frame. */
export function createFrameReader<Message>(
  onFrame: (frame: Frame<Message>) => void,
): (chunk: Buffer) => void {
  const prefix = Buffer.alloc(prefixBytes);
  let rest: Buffer | undefined;
  let filled = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      const target: Buffer = rest ?? prefix;
      const taken = chunk.copy(target, filled, at);
      at += taken;
      filled += taken;
      if (filled < target.length) return;
      filled = 0;
      // A buffer outside Node's pool, since views of it live until the answer has been read.
      if (rest === undefined) rest = Buffer.allocUnsafeSlow(sizeAfter(prefix));
      else {
        const frame = fromFrame<Message>(prefix, rest);
        rest = undefined;
        onFrame(frame);
      }
    }
  };
}

function gapAfter(bytes: number): number {
  return -bytes & (alignment - 1);
}
