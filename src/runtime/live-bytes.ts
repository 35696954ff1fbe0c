/**
 * Memory that running a graph takes, from the graph alone: which results are alive at once when its nodes run in order.
 * Knows no model; what a process needs before any graph runs is not its affair.
 */
import { BYTES, isLeaf, optimize, reachable, sizeOf, type Tensor } from '../tensor/index.ts';

export type GraphBytes = {
  /** Weights, as float32. */
  readonly weights: number;
  /** Most bytes of values alive at one time, those fed and returned included. */
  readonly live: number;
};

/** Results of these are written over an input that nobody reads later. */
const IN_PLACE = new Set(['Add', 'Sub', 'Mul', 'Div', 'QuickGelu', 'Softmax']);

/** Peak memory of one run of the graph that `outputs` reach, for kernels of the CPU. */
export function graphBytes(outputs: readonly Tensor[]): GraphBytes {
  const results = optimize(outputs);
  const nodes = reachable(results);
  const weights = nodes.reduce((n, node) => n + (node.op === 'Parameter' ? bytesOf(node) : 0), 0);
  const fixed = new Set<Tensor>();
  for (const node of nodes)
    if (isLeaf(node) ? node.op !== 'Input' : node.inputs.every((x) => fixed.has(x))) fixed.add(node);
  const moving = nodes.filter((node) => !fixed.has(node));
  const owner = new Map<Tensor, Tensor>();
  const lastUse = lastUses(moving, owner, results);
  return { weights, live: mostAlive(moving, owner, lastUse) };
}

/** When each buffer is last read, by position in `nodes`; fills `owner`, since a reshaped tensor lies in its input's buffer. */
function lastUses(nodes: readonly Tensor[], owner: Map<Tensor, Tensor>, results: readonly Tensor[]) {
  const lastUse = new Map<Tensor, number>();
  nodes.forEach((node, i) => {
    const source = node.inputs.find((x) => owner.has(x));
    owner.set(node, node.op === 'Reshape' && source !== undefined ? (owner.get(source) as Tensor) : node);
    for (const x of node.inputs) {
      const buffer = owner.get(x);
      if (buffer !== undefined) lastUse.set(buffer, i);
    }
  });
  for (const kept of [...results, ...nodes.filter((node) => node.op === 'Input')]) {
    const buffer = owner.get(kept);
    if (buffer !== undefined) lastUse.set(buffer, Number.POSITIVE_INFINITY);
  }
  return lastUse;
}

function mostAlive(
  nodes: readonly Tensor[],
  owner: ReadonlyMap<Tensor, Tensor>,
  lastUse: ReadonlyMap<Tensor, number>,
): number {
  let alive = nodes.reduce((n, node) => n + (node.op === 'Input' ? bytesOf(node) : 0), 0);
  let most = alive;
  nodes.forEach((node, i) => {
    if (node.op === 'Input') return;
    const read = [...new Set(node.inputs.map((x) => owner.get(x)).filter((x) => x !== undefined))];
    const dying = read.filter((buffer) => lastUse.get(buffer) === i);
    const size = owner.get(node) === node ? bytesOf(node) : 0;
    const reused = IN_PLACE.has(node.op) && dying.some((buffer) => bytesOf(buffer) === size);
    alive += reused ? 0 : size;
    most = Math.max(most, alive + scratchOf(node));
    for (const buffer of dying) alive -= reused && bytesOf(buffer) === size ? 0 : bytesOf(buffer);
    if (reused) alive -= (dying.filter((buffer) => bytesOf(buffer) === size).length - 1) * size;
    if (!lastUse.has(node) && owner.get(node) === node) alive -= size;
  });
  return most;
}

/** Convolutions work in a layout of their own: copies of input and result. */
const scratchOf = (node: Tensor): number =>
  node.op === 'Conv' ? bytesOf(node.inputs[0] as Tensor) + bytesOf(node) : 0;

const bytesOf = (tensor: Tensor): number => sizeOf(tensor.shape) * BYTES[tensor.dtype];
