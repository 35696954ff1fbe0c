/**
 * One list of op uses for every test of ops: against the reference, against finite differences, on each device.
 * A case makes the op's node from leaves of given shapes; the shapes are small because the reference is slow.
 */

import type { Tensor } from '../../src/tensor/index.ts';
import * as t from '../../src/tensor/index.ts';
import type { LeafSpec } from './values.ts';

export type OpCase = {
  /** ONNX name under which the op is defined. */
  readonly op: string;
  readonly title: string;
  readonly leaves: readonly LeafSpec[];
  readonly build: (...leaves: Tensor[]) => Tensor;
  /** Allowed deviation from the reference on a float32 device, relative to the largest value (or 1); 2e-6 unless said. */
  readonly tolerance?: number;
  /** No gradient flows although the op declares one (a result that is constant almost everywhere). */
  readonly constant?: boolean;
};

const cases: OpCase[] = [];
const shapeText = (leaf: LeafSpec): string =>
  `${leaf.dtype && leaf.dtype !== 'float32' ? leaf.dtype : ''}[${leaf.shape.join(', ')}]`;

function define(
  op: string,
  leaves: readonly (readonly number[] | LeafSpec)[],
  build: (...leaves: Tensor[]) => Tensor,
  options: { title?: string; tolerance?: number; constant?: boolean } = {},
): void {
  const specs = leaves.map((leaf) => ('shape' in leaf ? leaf : { shape: leaf }));
  const title = `${op} ${specs.map(shapeText).join(' ')}${options.title === undefined ? '' : ` ${options.title}`}`;
  cases.push({ op, leaves: specs, build, ...options, title });
}

const POSITIVE = [0.3, 3] as const;

for (const [op, apply] of [
  ['Add', t.add],
  ['Sub', t.sub],
  ['Mul', t.mul],
  ['Max', t.maximum],
  ['Min', t.minimum],
  ['Greater', t.greater],
  ['Less', t.less],
] as const)
  for (const [a, b] of [
    [
      [3, 4],
      [3, 4],
    ],
    [
      [2, 1, 4],
      [3, 1],
    ],
    [[], [2, 3]],
    [[2, 3], []],
  ] as const)
    define(op, [a, { shape: b, range: [-1.9, 2.1] }], apply);
for (const [a, b] of [
  [
    [3, 4],
    [3, 4],
  ],
  [
    [3, 1],
    [2, 1, 4],
  ],
] as const)
  define('Div', [a, { shape: b, range: POSITIVE }], t.div);
define('Equal', [
  { shape: [3, 4], dtype: 'int32' },
  { shape: [4], dtype: 'int32' },
], t.equal);
define('Add', [
  { shape: [3], dtype: 'int32' },
  { shape: [2, 1], dtype: 'int32' },
], t.add);
define('Mul', [[5]], (x) => t.mul(x, x), { title: 'of a tensor with itself' });

for (const [op, apply] of [
  ['Neg', t.neg],
  ['Exp', t.exp],
  ['Abs', t.abs],
  ['Sin', t.sin],
  ['Cos', t.cos],
  ['Tanh', t.tanh],
  ['Sigmoid', t.sigmoid],
  ['Erf', t.erf],
  ['QuickGelu', t.silu],
] as const)
  for (const shape of [[], [7], [2, 3, 5]]) define(op, [{ shape, range: [-3.5, 3.5] }], apply);
for (const shape of [[], [2, 3, 5]]) {
  for (const form of ['none', 'tanh'] as const)
    define('Gelu', [{ shape, range: [-3.5, 3.5] }], (x) => t.gelu(x, form), { title: form });
  for (const [op, apply] of [
    ['Log', t.log],
    ['Sqrt', t.sqrt],
    ['Reciprocal', t.reciprocal],
  ] as const)
    define(op, [{ shape, range: POSITIVE }], apply);
}
define('Sign', [[3, 4]], t.sign, { constant: true });

define('Cast', [{ shape: [3, 4], dtype: 'int32', range: [-9, 9] }], (x) => t.cast(x, 'float32'));
define('Cast', [{ shape: [3, 4], dtype: 'bool' }], (x) => t.cast(x, 'float32'));
define('Cast', [{ shape: [3, 4], range: [-9, 9] }], (x) => t.cast(x, 'int32'), { title: 'to int32', constant: true });
define('Cast', [{ shape: [3, 4], dtype: 'int32', range: [-9, 9] }], (x) => t.cast(x, 'int64'), { title: 'to int64' });
define('Cast', [[3, 4]], (x) => t.cast(t.cast(x, 'float16'), 'float32'), { title: 'by float16', tolerance: 1e-3 });
define('Where', [{ shape: [3, 4], dtype: 'bool' }, [3, 4], [3, 4]], t.where);
define('Where', [{ shape: [3, 1], dtype: 'bool' }, [2, 1, 4], []], t.where);
define('Min', [[4, 5]], (x) => t.clamp(x, -1, 0.5), { title: 'clamp' });

for (const [op, apply] of [
  ['ReduceSum', t.sum],
  ['ReduceMean', t.mean],
  ['ReduceMax', t.max],
] as const) {
  define(op, [[2, 3, 4]], (x) => apply(x), { title: 'all' });
  define(op, [[2, 3, 4]], (x) => apply(x, [-1], true), { title: 'last, kept' });
  define(op, [[2, 3, 4]], (x) => apply(x, [0, 2]), { title: 'first and last' });
  define(op, [[1, 5, 1]], (x) => apply(x, [0], true), { title: 'of size 1' });
}
define('Softmax', [[2, 3, 4]], (x) => t.softmax(x));
define('Softmax', [[2, 3, 4]], (x) => t.softmax(x, 1), { title: 'axis 1' });
define('Softmax', [{ shape: [3, 5], range: [-80, 80] }], (x) => t.softmax(x), { title: 'of far values' });

for (const [a, b] of [
  [
    [3, 4],
    [4, 5],
  ],
  [
    [2, 3, 4],
    [4, 5],
  ],
  [
    [2, 3, 3, 4],
    [4, 2],
  ],
  [
    [2, 3, 4],
    [2, 4, 5],
  ],
  [
    [2, 1, 3, 4],
    [5, 4, 2],
  ],
  [
    [3, 4],
    [2, 4, 5],
  ],
  [
    [1, 1],
    [1, 1],
  ],
] as const)
  define('MatMul', [a, b], t.matmul);
for (const [x, block, rows] of [
  [[3, 32], 16, 5],
  [[2, 3, 40], 32, 4],
  [[1, 21], 16, 3],
] as const) {
  const { packed, scale } = t.quantizedShapes({ scheme: 'int4', block }, [rows, x.at(-1)!]);
  define(
    'MatMulNBits',
    [x, { shape: packed, dtype: 'uint8', range: [0, 255] }, { shape: scale, range: [0.01, 0.2] }],
    (a, p, s) => t.matmulQuantized(a, p, s, { scheme: 'int4', block }),
    { title: `blocks of ${block}` },
  );
}
for (const x of [
  [5, 8],
  [2, 3, 33],
] as const) {
  const { packed, scale } = t.quantizedShapes({ scheme: 'int8' }, [7, x.at(-1)!]);
  define('MatMulIntegerToFloat', [
    { shape: x, range: [-2, 3] },
    { shape: packed, dtype: 'uint8', range: [1, 255] },
    { shape: scale, range: [0.01, 0.2] },
  ], (a, p, s) => t.matmulQuantized(a, p, s, { scheme: 'int8' }));
}
define(
  'MatMulIntegerToFloat',
  [{ shape: [3, 6], dtype: 'uint8', range: [0, 255] }, { shape: [6, 4], dtype: 'uint8', range: [0, 255] }, [4]],
  (a, b, s) => t.apply('MatMulIntegerToFloat', [a, b, s, t.constant(Uint8Array.of(128), [], 'uint8')]),
  { title: 'of bytes' },
);
define('QuantizeLinear', [[3, 7], { shape: [3], range: [0.005, 0.02] }], (x, scale) =>
  t.apply('QuantizeLinear', [x, scale, t.constant(Uint8Array.of(128, 0, 128), [3], 'uint8')]));
define('Gather', [[5, 3], { shape: [4], dtype: 'int32', range: [0, 4] }], t.gather);
define('Gather', [[6, 2, 2], { shape: [2, 3], dtype: 'int64', range: [0, 5] }], t.gather);
define('Gather', [[4, 2], { shape: [7], dtype: 'int32', range: [0, 2] }], t.gather, { title: 'with repeated rows' });

define('Reshape', [[2, 3, 4]], (x) => t.reshape(x, [4, -1]));
define('Reshape', [[1, 1]], (x) => t.reshape(x, []), { title: 'to a scalar' });
define('Transpose', [[2, 3, 4]], (x) => t.transpose(x, [2, 0, 1]));
define('Transpose', [[2, 3, 4]], t.transposeLast, { title: 'of the last two' });
define('Expand', [[3, 1]], (x) => t.expand(x, [2, 3, 4]));
define('Expand', [[]], (x) => t.expand(x, [3]));
define('Concat', [
  [2, 3],
  [2, 1],
  [2, 2],
], (...x) => t.concat(x, 1));
define('Concat', [
  [1, 2, 2],
  [3, 2, 2],
], (...x) => t.concat(x, -3));
define('Concat', [[2, 3]], (x) => t.concat([x, x], 0), { title: 'with itself' });
define('Slice', [[6, 5]], (x) => t.slice(x, 0, 1, 4));
define('Slice', [[6, 5]], (x) => t.slice(x, 0, 1, 6, 2), { title: 'every second' });
define('Slice', [[2, 11]], (x) => t.slice(x, -1, 0, 11, 4), { title: 'every fourth' });
define('Slice', [[2, 8]], (x) => t.slice(x, 1, 2, 7, 3), { title: 'with a rest after the last' });
define('Flip', [[4, 3]], (x) => t.flip(x, [0]));
define('Flip', [[2, 3, 3]], (x) => t.flip(x, [-1, -2]), { title: 'two axes' });
define('Pad', [[2, 3]], (x) => t.pad(x, [1, 0], [0, 2]));
define('Pad', [[2, 3]], (x) => t.dilate(x, 1, 3), { title: 'dilate by 3' });

for (const [x, w, pads, stride] of [
  [[2, 3, 5, 6], [4, 3, 3, 3], [1, 1, 1, 1], 1],
  [[1, 2, 6, 6], [3, 2, 3, 3], [0, 0, 1, 1], 2],
  [[1, 2, 7, 5], [3, 2, 3, 3], [1, 1, 1, 1], 2],
  [[2, 2, 6, 4], [3, 2, 2, 2], [0, 0, 0, 0], 2],
  [[2, 3, 4, 4], [2, 3, 1, 1], [0, 0, 0, 0], 1],
  [[1, 2, 5, 4], [3, 2, 1, 1], [0, 0, 0, 0], 2],
  [[1, 1, 4, 5], [2, 1, 3, 2], [2, 0, 0, 1], 1],
  [[1, 2, 3, 4], [2, 2, 1, 1], [1, 0, 2, 1], 1],
  [[1, 2, 3, 4], [2, 2, 1, 1], [0, 0, 1, 2], 1],
  [[1, 2, 3, 4], [2, 2, 1, 1], [1, 0, 0, 1], 2],
  [[1, 1, 3, 3], [1, 1, 3, 3], [3, 1, 2, 4], 2],
  // Many channels take another form of the weight gradient.
  [[2, 64, 1, 2], [64, 64, 2, 2], [1, 1, 0, 0], 1],
] as const) {
  const title = `pads ${pads.join(' ')} stride ${stride}`;
  define('Conv', [x, w], (a, b) => t.conv2d(a, b, undefined, pads, stride), { title });
  define('Conv', [x, w, [w[0]]], (a, b, c) => t.conv2d(a, b, c, pads, stride), { title });
}
define('Resize', [[2, 3, 2, 3]], t.upsampleNearest);
define('AveragePool', [[2, 3, 4, 6]], t.averagePool);

const norms = [
  [[3, 8], 8],
  [[2, 3, 5], 5],
  [[2, 4, 6, 3], 3],
] as const;
for (const [x, width] of norms) {
  define('LayerNormalization', [x, [width], [width]], (a, s, b) => t.layerNorm(a, s, b, 1e-5), { tolerance: 5e-6 });
  define('LayerNormalization', [x, [width]], (a, s) => t.layerNorm(a, s, undefined, 1e-2), { tolerance: 5e-6 });
  define('RMSNormalization', [x, [width]], (a, s) => t.rmsNorm(a, s, 1e-6), { tolerance: 5e-6 });
  for (const op of ['LayerNormalizationMean', 'LayerNormalizationInvStdDev'])
    define(op, [x, [width], [width]], (...inputs) => t.apply(op, inputs, { epsilon: 1e-5 }), { tolerance: 5e-6 });
}

for (const [q, k, v, bias] of [
  [[2, 3, 4, 5], [2, 3, 6, 5], [2, 3, 6, 5], undefined],
  [
    [1, 2, 3, 4],
    [1, 2, 5, 4],
    [1, 2, 5, 4],
    [1, 1, 3, 5],
  ],
  [
    [2, 2, 3, 4],
    [2, 2, 3, 4],
    [2, 2, 3, 4],
    [2, 2, 3, 3],
  ],
  [
    [2, 1, 3, 4],
    [2, 1, 3, 4],
    [2, 1, 3, 4],
    [2, 1, 1, 3],
  ],
] as const)
  for (const form of ['fused', 'primitive'] as const)
    define(
      form === 'fused' ? 'Attention' : 'Softmax',
      bias === undefined ? [q, k, v] : [q, k, v, bias],
      (a, b, c, mask) => t.attention(a, b, c, { scale: 0.37, bias: mask, form }),
      { title: `${form} attention` },
    );

for (const [q, k, v] of [
  [
    [2, 3, 8],
    [2, 5, 8],
    [2, 5, 12],
  ],
  [
    [1, 4, 6],
    [1, 4, 6],
    [1, 4, 6],
  ],
] as const)
  define('FlashAttention', [q, k, v], (a, b, c) => t.apply('FlashAttention', [a, b, c], { heads: 2, scale: 0.37 }));

export const opCases: readonly OpCase[] = cases;
