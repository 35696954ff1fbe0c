/**
 * Gradients that keep only chosen tensors of the forward pass: what lies between them is computed again when the backward
 * pass gets there, so that memory holds one block's activations instead of all (Chen et al. 2016, arXiv:1604.06174).
 *
 * The second computation is a copy of the block's nodes over gated inputs: equal values that cannot be had before the
 * gradient of the block's output is there. Without the gate the copy would be shared with the original or run early.
 */
import { internalError } from '../errors.ts';
import { backward, Gradients, zerosLike } from './grad.ts';
import { equal, where } from './ops/elementwise.ts';
import { reshape, slice } from './ops/shape.ts';
import { sizeOf } from './shape.ts';
import { isLeaf, reachable, scalar, type Tensor, withInputs } from './tensor.ts';

/**
 * As `grad`, with the nodes up to each of `kept` computed twice. `kept` are outputs of blocks, in any order, each on the way
 * to `loss`; what follows the last of them is not recomputed.
 */
export function gradRecomputed(loss: Tensor, targets: readonly Tensor[], kept: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0) throw internalError('grad', 'the loss must be a scalar', loss.shape);
  const nodes = reachable([loss]);
  const blocks = blocksOf(nodes, kept);
  const isTarget = new Set(targets);
  const leads = new Set(targets);
  for (const node of nodes) if (node.inputs.some((x) => leads.has(x))) leads.add(node);

  const gradients = new Gradients();
  gradients.add(loss, scalar(1));
  blocks.reverse().forEach((block, i) => {
    const wanted = [...inputsOf(block).filter((x) => leads.has(x)), ...block.filter((x) => isTarget.has(x))];
    // The last block's activations are fresh when its backward pass begins.
    if (i === 0) backward(block, new Set(wanted), gradients);
    else backwardAgain(block, wanted, gradients);
  });
  return targets.map((t) => gradients.of(t) ?? zerosLike(t));
}

/** Inner nodes by the first of `kept` that they lead to, in topological order; the last block leads to none. */
function blocksOf(nodes: readonly Tensor[], kept: readonly Tensor[]): Tensor[][] {
  const known = new Set(nodes);
  const owner = new Map<Tensor, number>();
  const ends = [...new Set(kept)].filter((x) => !isLeaf(x)).sort((a, b) => a.id - b.id);
  ends.forEach((end, i) => {
    if (!known.has(end)) throw internalError('grad', 'a kept tensor must lead to the loss', end.op);
    const stack = [end];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (owner.has(node) || isLeaf(node)) continue;
      owner.set(node, i);
      stack.push(...node.inputs);
    }
  });
  const blocks: Tensor[][] = Array.from({ length: ends.length + 1 }, () => []);
  for (const node of nodes) if (!isLeaf(node)) blocks[owner.get(node) ?? ends.length]!.push(node);
  return blocks;
}

/** What a block takes from outside, each once. */
function inputsOf(block: readonly Tensor[]): Tensor[] {
  const own = new Set(block);
  return [...new Set(block.flatMap((node) => node.inputs))].filter((x) => !own.has(x));
}

function backwardAgain(block: readonly Tensor[], wanted: readonly Tensor[], gradients: Gradients): void {
  const outputs = block.filter((node) => gradients.of(node) !== undefined);
  const last = outputs.at(-1);
  if (last === undefined || wanted.length === 0) return;
  const gate = gradients.of(last) as Tensor;
  const copies = new Map<Tensor, Tensor>();
  for (const x of inputsOf(block)) copies.set(x, x.op === 'Parameter' || x.op === 'Constant' ? x : after(x, gate));
  for (const node of block)
    copies.set(
      node,
      withInputs(
        node,
        node.inputs.map((x) => copies.get(x) as Tensor),
      ),
    );
  const copyOf = (x: Tensor): Tensor => copies.get(x) as Tensor;

  const again = new Gradients();
  for (const node of outputs) again.add(copyOf(node), gradients.of(node) as Tensor);
  backward(block.map(copyOf), new Set(wanted.map(copyOf)), again);
  const own = new Set(outputs);
  for (const x of wanted) {
    const dx = again.of(copyOf(x));
    if (dx === undefined) continue;
    // What came in as an output's gradient is part of what came back.
    if (own.has(x)) gradients.replace(x, dx);
    else gradients.add(x, dx);
  }
}

/** `x` to the bit, but not before `gate` is computed. Where picks `x` either way, which no pass may find out. */
function after(x: Tensor, gate: Tensor): Tensor {
  if (x.dtype !== 'float32' && x.dtype !== 'int32') return x;
  const one = sizeOf(gate.shape) === 1 ? gate : slice(reshape(gate, [-1]), 0, 0, 1);
  const value = reshape(one, []);
  return where(equal(value, value), x, x);
}
