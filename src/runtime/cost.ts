/**
 * What a graph's nodes cost by their definitions: arithmetic and memory traffic. Knows no times.
 */
import { BYTES, opDefinition, sizeOf, type Tensor } from '../tensor/index.ts';

export type Cost = {
  /** ONNX name of the op. */
  readonly op: string;
  /** A multiply-add counts two; 0 for ops that only move data. */
  readonly flops: number;
  /** Bytes read and written if every operand is touched once. */
  readonly bytes: number;
};

const bytesOf = (tensor: Tensor): number => sizeOf(tensor.shape) * BYTES[tensor.dtype];

/** The cost of one device node that computes `results`, all from the same inputs. */
function costOf(results: readonly Tensor[]): Cost {
  const first = results[0] as Tensor;
  const touched = [...new Set(first.inputs), ...results];
  return {
    op: first.op,
    flops: results.reduce((n, node) => n + (opDefinition(node.op).flops?.(node) ?? 0), 0),
    bytes: touched.reduce((n, tensor) => n + bytesOf(tensor), 0),
  };
}

/** Costs by node name, for the nodes that an ONNX model lists. */
export const costsOf = (nodes: ReadonlyMap<string, readonly Tensor[]>): ReadonlyMap<string, Cost> =>
  new Map([...nodes].map(([name, results]) => [name, costOf(results)]));
