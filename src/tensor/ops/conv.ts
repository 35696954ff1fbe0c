/**
 * 2-D convolution over [N, C, H, W]. Time is the caller's affair: causal 3-D convolution is made of these (nn/conv.ts).
 */
import { internalError } from '../../errors.ts';
import { floatDtype, shapesText } from '../check.ts';
import { generate } from '../ndarray.ts';
import { defineOp } from '../op.ts';
import { dim, type Shape, sameShape, sizeOf, stridesOf } from '../shape.ts';
import { type Attributes, apply, type Tensor } from '../tensor.ts';
import { add, mul } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { sum } from './reduce.ts';
import { concat, dilate, flip, pad, reshape, slice, transpose, transposeLast } from './shape.ts';

/** Zero rows and columns around the picture: [top, left, bottom, right], as ONNX orders them. */
type Pads = readonly [number, number, number, number];
type Settings = { pads: Pads; stride: number };
const settingsOf = (attributes: Attributes): Settings => attributes as unknown as Settings;

defineOp({
  name: 'Conv',
  infer([x, w, bias], attributes) {
    const { pads, stride } = settingsOf(attributes);
    if (x!.shape.length !== 4 || w!.shape.length !== 4 || dim(x!.shape, 1) !== dim(w!.shape, 1))
      throw internalError('Conv', 'input [N, C, H, W] and weight [O, C, kh, kw] must agree on C', shapesText([x!, w!]));
    if (bias !== undefined && !sameShape(bias.shape, w!.shape.slice(0, 1)))
      throw internalError('Conv', `bias must be [${dim(w!.shape, 0)}]`, bias.shape);
    if (![...pads, stride - 1].every((n) => Number.isInteger(n) && n >= 0))
      throw internalError('Conv', 'pads must be at least 0 and the stride at least 1', [...pads, stride]);
    const room = [pads[0] + dim(x!.shape, 2) + pads[2], pads[1] + dim(x!.shape, 3) + pads[3]] as const;
    if (room[0] < dim(w!.shape, 2) || room[1] < dim(w!.shape, 3))
      throw internalError('Conv', `kernel [${w!.shape.slice(2).join(', ')}] must fit the padded picture`, room);
    const [height, width] = room.map((size, i) => Math.floor((size - dim(w!.shape, 2 + i)) / stride) + 1);
    const dtype = floatDtype('Conv', bias === undefined ? [x!, w!] : [x!, w!, bias]);
    return { shape: [dim(x!.shape, 0), dim(w!.shape, 0), height!, width!], dtype };
  },
  gradient(node, dy) {
    const [x, w, bias] = node.inputs as [Tensor, Tensor, Tensor | undefined];
    const settings = settingsOf(node.attributes);
    const gradients = [inputGradient(x.shape, w, dy, settings), weightGradient(x, w.shape, dy, settings)];
    return bias === undefined ? gradients : [...gradients, sum(dy, [0, 2, 3])];
  },
  onnx(node) {
    const { pads, stride } = settingsOf(node.attributes);
    return { type: 'Conv', inputs: node.inputs, attributes: { pads, strides: [stride, stride] } };
  },
  reference([x, w, bias], node) {
    const { pads, stride } = settingsOf(node.attributes);
    const [xs, ws] = [stridesOf(x!.shape), stridesOf(w!.shape)];
    const [channels, height, width] = x!.shape.slice(1) as [number, number, number];
    const [kh, kw] = w!.shape.slice(2) as [number, number];
    return generate(node.shape, node.dtype, ([n, o, r, c]) => {
      let total = bias?.data[o!] ?? 0;
      for (let i = 0; i < channels; i++)
        for (let u = 0; u < kh; u++)
          for (let v = 0; v < kw; v++) {
            const [row, column] = [r! * stride + u - pads[0], c! * stride + v - pads[1]];
            if (row < 0 || row >= height || column < 0 || column >= width) continue;
            total +=
              x!.data[n! * xs[0]! + i * xs[1]! + row * width + column]! *
              w!.data[o! * ws[0]! + i * ws[1]! + u * kw + v]!;
          }
      return total;
    });
  },
  flops: (node) => 2 * sizeOf(node.shape) * sizeOf(node.inputs[1]!.shape.slice(1)),
});

/** Cross-correlation of x [N, C, H, W] with weight [O, C, kh, kw], plus bias [O]. */
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | undefined, pads: Pads, stride = 1): Tensor {
  const [kh, kw] = [dim(weight.shape, 2), dim(weight.shape, 3)];
  if (kh * kw === 1 && stride === 1 && pads.some((p) => p > 0)) {
    // WebGPU's kernel for 1x1 weights forgets padding at the end (onnxruntime 1.30); zeros may as well come afterwards.
    const y = border(conv2d(x, weight, undefined, [0, 0, 0, 0]), pads);
    return bias === undefined ? y : add(y, reshape(bias, [sizeOf(bias.shape), 1, 1]));
  }
  // Padding wider than the kernel reaches is done apart: the gradient's own padding would be negative.
  const reach = [kh - 1, kw - 1, kh - 1, kw - 1];
  const [inner, outer] = [pads.map((p, i) => Math.min(p, reach[i]!)), pads.map((p, i) => Math.max(0, p - reach[i]!))];
  const padded = border(x, outer as unknown as Pads);
  return apply('Conv', bias === undefined ? [padded, weight] : [padded, weight, bias], { pads: inner, stride });
}

const border = (x: Tensor, [top, left, bottom, right]: Pads): Tensor =>
  pad(x, [0, 0, top, left], [0, 0, bottom, right]);

/** A convolution of the spread-out gradient with the flipped weight, input and output channels exchanged. */
function inputGradient(shape: Shape, w: Tensor, dy: Tensor, { pads, stride }: Settings): Tensor {
  const [kh, kw] = [dim(w.shape, 2), dim(w.shape, 3)];
  const turned = kh * kw === 1 ? transpose(w, [1, 0, 2, 3]) : flip(transpose(w, [1, 0, 2, 3]), [2, 3]);
  const spread = dilate(dilate(dy, 2, stride), 3, stride);
  const bottom = dim(shape, 2) - dim(spread.shape, 2) + pads[0];
  const right = dim(shape, 3) - dim(spread.shape, 3) + pads[1];
  return conv2d(spread, turned, undefined, [kh - 1 - pads[0], kw - 1 - pads[1], bottom, right]);
}

/**
 * One product of the shifted picture with the gradient for each kernel position, batched over N and summed. Measured ahead
 * of a convolution with exchanged axes, of stacked shifts and of products over [C, N·H·W] at most shapes (docs/log.md).
 */
function weightGradient(x: Tensor, shape: Shape, dy: Tensor, { pads, stride }: Settings): Tensor {
  const [out, channels, kh, kw] = shape as readonly [number, number, number, number];
  const batch = dim(x.shape, 0);
  if (stride === 1 && Math.min(out, channels) >= WIDE_CHANNELS) return wideWeightGradient(x, shape, dy, pads);
  const { shifted, rows } = stride === 1 ? flatShifts(x, shape, dy, pads) : steppedShifts(x, dy, { pads, stride });
  const columns = transposeLast(rows); //                                                        [N, L, O]
  const parts: Tensor[] = [];
  for (let u = 0; u < kh; u++)
    for (let v = 0; v < kw; v++) {
      const picture = shifted(u, v); //                                                          [N, C, L]
      parts.push(batch === 1 ? matmul(picture, columns) : sum(matmul(picture, columns), [0], true));
    }
  return outputFirst(concat(parts, 0), shape);
}

/** [kh·kw, C, O] -> [O, C, kh, kw], one axis at a time: many times faster than the whole permutation at once. */
function outputFirst(parts: Tensor, shape: Shape): Tensor {
  const [out, channels, kh, kw] = shape as readonly [number, number, number, number];
  const kernelLast = transpose(reshape(parts, [kh * kw, channels * out]), [1, 0]);
  return reshape(transpose(reshape(kernelLast, [channels, out, kh * kw]), [1, 0, 2]), shape);
}

/** From here on the batch of products is larger than the pictures themselves, and one product over all of N is faster. */
const WIDE_CHANNELS = 64;

/** As `weightGradient`, over channels-first pictures: [C, N·L] x [N·L, O] for each kernel position. */
function wideWeightGradient(x: Tensor, shape: Shape, dy: Tensor, pads: Pads): Tensor {
  const [out, channels, kh, kw] = shape as readonly [number, number, number, number];
  const turned = { x: transpose(x, [1, 0, 2, 3]), dy: transpose(dy, [1, 0, 2, 3]) };
  const { shifted, rows } = flatShifts(turned.x, shape, turned.dy, pads); //                   [C, N, L], [O, N, L]
  const columns = transposeLast(reshape(rows, [out, -1]));
  const parts: Tensor[] = [];
  for (let u = 0; u < kh; u++)
    for (let v = 0; v < kw; v++)
      parts.push(reshape(matmul(reshape(shifted(u, v), [channels, -1]), columns), [1, channels, out]));
  return outputFirst(concat(parts, 0), shape);
}

type Shifts = { shifted: (u: number, v: number) => Tensor; rows: Tensor };

/** Stride 1: both pictures get one row width, so that every shift is one contiguous range of a flat picture. */
function flatShifts(x: Tensor, shape: Shape, dy: Tensor, pads: Pads): Shifts {
  const [kh, kw] = [dim(shape, 2), dim(shape, 3)];
  const [batch, channels] = [dim(x.shape, 0), dim(x.shape, 1)];
  const [dyBatch, out, rows, columns] = dy.shape as readonly [number, number, number, number];
  const width = columns + kw - 1;
  const length = rows * width;
  if (kh * kw === 1)
    return { shifted: () => reshape(x, [batch, channels, length]), rows: reshape(dy, [dyBatch, out, length]) };
  // One more row below: the last shift reaches kw - 1 elements past the picture, where the gradient is zero.
  const flat = reshape(pad(x, [0, 0, pads[0], pads[1]], [0, 0, pads[2] + 1, pads[3]]), [
    batch,
    channels,
    (rows + kh) * width,
  ]);
  return {
    shifted: (u, v) => slice(flat, 2, u * width + v, u * width + v + length),
    rows: reshape(pad(dy, [0, 0, 0, 0], [0, 0, 0, kw - 1]), [dyBatch, out, length]),
  };
}

function steppedShifts(x: Tensor, dy: Tensor, { pads, stride }: Settings): Shifts {
  const [batch, out, rows, columns] = dy.shape as readonly [number, number, number, number];
  const padded = pad(x, [0, 0, pads[0], pads[1]], [0, 0, pads[2], pads[3]]);
  return {
    shifted(u, v) {
      const down = slice(padded, 2, u, u + (rows - 1) * stride + 1, stride);
      const picture = slice(down, 3, v, v + (columns - 1) * stride + 1, stride);
      return reshape(picture, [batch, dim(x.shape, 1), rows * columns]);
    },
    rows: reshape(dy, [batch, out, rows * columns]),
  };
}

defineOp({
  name: 'Resize',
  infer([x]) {
    if (x!.shape.length !== 4) throw internalError('Resize', 'input must be [N, C, H, W]', x!.shape);
    return { shape: [dim(x!.shape, 0), dim(x!.shape, 1), 2 * dim(x!.shape, 2), 2 * dim(x!.shape, 3)], dtype: x!.dtype };
  },
  gradient: (_, dy) => [mul(averagePool(dy), 4)],
  onnx: (node) => ({
    type: 'Resize',
    inputs: [node.inputs[0]!, undefined, undefined, { int64: node.shape }],
    attributes: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  }),
  reference([x], node) {
    const s = stridesOf(x!.shape);
    return generate(
      node.shape,
      node.dtype,
      ([n, c, r, w]) => x!.data[n! * s[0]! + c! * s[1]! + (r! >> 1) * s[2]! + (w! >> 1)]!,
    );
  },
});
/** Nearest neighbour, twice as high and wide: [N, C, H, W] -> [N, C, 2H, 2W]. */
export const upsampleNearest = (x: Tensor): Tensor => apply('Resize', [x]);

defineOp({
  name: 'AveragePool',
  infer([x]) {
    if (x!.shape.length !== 4 || dim(x!.shape, 2) % 2 !== 0 || dim(x!.shape, 3) % 2 !== 0)
      throw internalError('AveragePool', 'input must be [N, C, even, even]', x!.shape);
    return { shape: [dim(x!.shape, 0), dim(x!.shape, 1), dim(x!.shape, 2) / 2, dim(x!.shape, 3) / 2], dtype: x!.dtype };
  },
  gradient: (_, dy) => [mul(upsampleNearest(dy), 0.25)],
  onnx: (node) => ({ type: 'AveragePool', inputs: node.inputs, attributes: { kernel_shape: [2, 2], strides: [2, 2] } }),
  reference([x], node) {
    const s = stridesOf(x!.shape);
    return generate(node.shape, node.dtype, ([n, c, r, w]) => {
      const at = n! * s[0]! + c! * s[1]! + 2 * r! * s[2]! + 2 * w!;
      return (x!.data[at]! + x!.data[at + 1]! + x!.data[at + s[2]!]! + x!.data[at + s[2]! + 1]!) / 4;
    });
  },
});
/** Means of 2x2 squares: [N, C, 2H, 2W] -> [N, C, H, W]. */
export const averagePool = (x: Tensor): Tensor => apply('AveragePool', [x]);
