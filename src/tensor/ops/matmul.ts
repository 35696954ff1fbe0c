/**
 * Matrix product with batch broadcasting, and row lookup, whose gradient is a matrix product too.
 */
import { internalError } from '../../errors.ts';
import { floatDtype, shapesText } from '../check.ts';
import { generate, ndarray } from '../ndarray.ts';
import { defineOp } from '../op.ts';
import { broadcast, dim, sizeOf, stridesOf } from '../shape.ts';
import { apply, constant, type Tensor } from '../tensor.ts';
import { cast, equal } from './elementwise.ts';
import { sumTo } from './reduce.ts';
import { reshape, transposeLast } from './shape.ts';

defineOp({
  name: 'MatMul',
  infer([a, b]) {
    if (a!.shape.length < 2 || b!.shape.length < 2 || dim(a!.shape, -1) !== dim(b!.shape, -2))
      throw internalError('MatMul', 'inner sizes must agree', shapesText([a!, b!]));
    const batch = broadcast('MatMul', a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    return { shape: [...batch, dim(a!.shape, -2), dim(b!.shape, -1)], dtype: floatDtype('MatMul', [a!, b!]) };
  },
  gradient(node, dy) {
    const [a, b] = node.inputs as [Tensor, Tensor];
    if (b.shape.length === 2 && a.shape.length > 2) {
      // One flat product for the weight instead of a batch of small ones summed afterwards.
      const rows = sizeOf(a.shape.slice(0, -1));
      const flatA = reshape(a, [rows, dim(a.shape, -1)]);
      const flatDy = reshape(dy, [rows, dim(dy.shape, -1)]);
      return [matmul(dy, transposeLast(b)), matmul(transposeLast(flatA), flatDy)];
    }
    return [sumTo(matmul(dy, transposeLast(b)), a.shape), sumTo(matmul(transposeLast(a), dy), b.shape)];
  },
  onnx: (node) => ({ type: 'MatMul', inputs: node.inputs }),
  reference([a, b], node) {
    const out = ndarray(node.shape, node.dtype);
    const [rows, inner, columns] = [dim(a!.shape, -2), dim(a!.shape, -1), dim(b!.shape, -1)];
    const batch = node.shape.slice(0, -2);
    const offset = (x: { shape: readonly number[] }, index: readonly number[]): number => {
      const own = x.shape.slice(0, -2);
      const strides = stridesOf(x.shape);
      const lead = batch.length - own.length;
      return own.reduce((at, d, i) => at + (d === 1 ? 0 : (index[i + lead] as number) * (strides[i] as number)), 0);
    };
    generate(batch, 'float32', (index) => {
      const [ao, bo] = [offset(a!, index), offset(b!, index)];
      const oo = offset(node, index);
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < columns; c++) {
          let total = 0;
          for (let k = 0; k < inner; k++) total += a!.data[ao + r * inner + k]! * b!.data[bo + k * columns + c]!;
          out.data[oo + r * columns + c] = total;
        }
      return 0;
    });
    return out;
  },
  flops: (node) => 2 * sizeOf(node.shape) * dim(node.inputs[0]!.shape, -1),
});
/** [..., m, k] x [..., k, n] -> [..., m, n]; leading axes broadcast. */
export const matmul = (a: Tensor, b: Tensor): Tensor => apply('MatMul', [a, b]);

defineOp({
  name: 'Gather',
  infer([table, ids]) {
    if (ids!.dtype !== 'int32' && ids!.dtype !== 'int64')
      throw internalError('Gather', 'ids must be whole', ids!.dtype);
    if (table!.shape.length === 0) throw internalError('Gather', 'the table must have rows', table!.shape);
    return { shape: [...ids!.shape, ...table!.shape.slice(1)], dtype: table!.dtype };
  },
  gradient(node, dy) {
    const [table, ids] = node.inputs as [Tensor, Tensor];
    const rows = dim(table.shape, 0);
    const count = sizeOf(ids.shape);
    const range = constant(
      Int32Array.from({ length: rows }, (_, i) => i),
      [rows, 1],
      'int32',
    );
    const chosen = cast(equal(range, reshape(cast(ids, 'int32'), [1, count])), 'float32'); //         [rows, count]
    const product = matmul(chosen, reshape(dy, [count, sizeOf(table.shape.slice(1))]));
    return [reshape(product, table.shape), undefined];
  },
  onnx: (node) => ({ type: 'Gather', inputs: node.inputs, attributes: { axis: 0 } }),
  reference([table, ids], node) {
    const width = sizeOf(table!.shape.slice(1));
    const out = ndarray(node.shape, node.dtype);
    if (!ids!.data.every((id) => id >= 0 && id < dim(table!.shape, 0)))
      throw internalError('Gather', `ids must lie in 0..${dim(table!.shape, 0) - 1}`, [...ids!.data]);
    ids!.data.forEach((id, i) => {
      out.data.set(table!.data.subarray(id * width, (id + 1) * width), i * width);
    });
    return out;
  },
});
/** Rows of `table` [n, ...] by whole-number `ids` [...]. */
export const gather = (table: Tensor, ids: Tensor): Tensor => apply('Gather', [table, ids]);
