/**
 * What the stages of a network cost by their graphs: arithmetic, weights, and the memory of their worst moment. The model behind
 * a memory plan; it knows how the runtime holds values without an arena, and was fitted to nothing else:
 *
 *   a mapped weight is resident as long as its session, of a table only the rows looked up; one stored in 16 bits is decoded
 *   whole for its product, then freed; one stored in 32 is packed for it once, which takes as much again; a quantized one is
 *   used as it lies;
 *   a value lives from its node to its last reader; reshapes share memory and plain arithmetic overwrites a dying operand;
 *   attention holds the logits of every query and key.
 */
import { BYTES, dim, nameOf, opDefinition, optimize, reachable, sizeOf, type Tensor } from '../tensor/index.ts';
import type { StagedNetwork } from './stages.ts';

export type StageCost = {
  readonly name: string;
  /** A multiply-add counts two. */
  readonly flops: number;
  /** Bytes of its weights as stored. */
  readonly weights: number;
  /** Bytes of weights that are resident while its session is open. */
  readonly open: number;
  /** Elements that are decoded on every run. */
  readonly decoded: number;
  /** Bytes beside the mapped weights at the worst moment: decoded weights, activations, and values that wait for later stages. */
  readonly work: number;
};

/** A parameter as stored: bytes, and whether its kernels take it so (`plain`), widened to float32, or quantized. */
export type StoredSize = { readonly bytes: number; readonly form: 'plain' | 'widened' | 'quantized' };
/** By the parameter's name. */
export type StoredSizes = (name: string) => StoredSize;

/** Costs of each stage, in order, for a network whose own inputs take `fed` bytes. */
export function stageCosts({ stages, constants }: StagedNetwork, fed: number, stored: StoredSizes): StageCost[] {
  const tables = Object.values(constants).reduce((sum, value) => sum + value.data.byteLength, 0);
  const reads = stages.map(({ outputs }) => new Set(leaves(outputs, 'Input').map(nameOf)));
  const values = new Map<string, number>();
  return stages.map(({ name, outputs }, i) => {
    const cost = graphCost(outputs, stored);
    const waiting = [...values].reduce(
      (sum, [value, bytes]) => (reads.slice(i).some((r) => r.has(value)) ? sum + bytes : sum),
      0,
    );
    for (const [value, tensor] of Object.entries(outputs)) values.set(value, bytesOf(tensor));
    return { name, ...cost, work: cost.work + waiting + tables + fed };
  });
}

export type GraphCostOptions = {
  /** The session computes what follows from weights alone when it is opened. */
  readonly folded?: boolean;
  /** Outputs that are written to memory which is counted elsewhere. */
  readonly isGiven?: (output: string) => boolean;
};

/** The cost of one graph in a session of its own; its inputs are not counted. */
export function graphCost(
  outputs: Readonly<Record<string, Tensor>>,
  stored: StoredSizes,
  { folded = false, isGiven = () => false }: GraphCostOptions = {},
): Omit<StageCost, 'name'> {
  const results = optimize(Object.values(outputs));
  const given = new Set(results.filter((_, i) => isGiven(Object.keys(outputs)[i]!)));
  const nodes = reachable(results);
  const used = (isReader: (node: Tensor) => boolean): number => {
    const names = nodes.filter(isReader).flatMap(({ inputs }) => inputs.filter((x) => x.op === 'Parameter'));
    return [...new Set(names.map(nameOf))].reduce((sum, name) => sum + stored(name).bytes, 0);
  };
  const packed = nodes.flatMap((node) => (node.op === 'MatMul' ? node.inputs.map(untransposed) : []));
  const isPacked = (x: Tensor): boolean => x.op === 'Parameter' && stored(nameOf(x)).form === 'plain';
  const copies = [...new Map(packed.filter(isPacked).map((x) => [nameOf(x), bytesOf(x)])).values()];
  const weights = used(() => true);
  const open = used(({ op }) => op !== 'Gather') + copies.reduce((sum, bytes) => sum + bytes, 0);
  const flops = nodes.reduce((sum, node) => sum + (opDefinitionOf(node)?.flops?.(node) ?? 0), 0);
  return { flops, weights, open, ...liveness(folded ? moving(nodes) : nodes, { results, given, stored }) };
}

const untransposed = (x: Tensor): Tensor => (x.op === 'Transpose' ? x.inputs[0]! : x);
const opDefinitionOf = (node: Tensor) => (isLeafOp(node) ? undefined : opDefinition(node.op));
const isLeafOp = ({ op }: Tensor): boolean => op === 'Input' || op === 'Parameter' || op === 'Constant';
const bytesOf = (tensor: Tensor): number => sizeOf(tensor.shape) * BYTES[tensor.dtype];
const leaves = (outputs: Readonly<Record<string, Tensor>>, op: string): Tensor[] =>
  reachable(Object.values(outputs)).filter((node) => node.op === op);

/** Kernels that write over an operand of the same size which nobody reads any more. */
const IN_PLACE = new Set(['Add', 'Sub', 'Mul', 'Div', 'Sigmoid', 'QuickGelu', 'Softmax']);

/** Without what follows from weights and constants alone, which a session that folds computes once, when it is opened. */
function moving(nodes: readonly Tensor[]): Tensor[] {
  const fixed = new Set<Tensor>();
  for (const node of nodes)
    if (isLeafOp(node) ? node.op !== 'Input' : node.inputs.every((x) => fixed.has(x))) fixed.add(node);
  return nodes.filter((node) => !fixed.has(node));
}

/** Walks the nodes in order and counts what is alive at each; results are to the end. */
function liveness(
  nodes: readonly Tensor[],
  { results, given, stored }: { results: readonly Tensor[]; given: ReadonlySet<Tensor>; stored: StoredSizes },
): { work: number; decoded: number } {
  const roots = new Map<Tensor, Tensor>();
  const root = (node: Tensor): Tensor => roots.get(node) ?? node;
  const last = new Map<Tensor, number>();
  for (const [i, node] of nodes.entries()) {
    // A product reads its weight turned, so turning one makes no copy.
    const shares = node.op === 'Reshape' || (node.op === 'Transpose' && root(node.inputs[0]!).op === 'Parameter');
    if (shares) roots.set(node, root(node.inputs[0]!));
    for (const operand of node.inputs) last.set(root(operand), i);
  }
  for (const result of results) last.set(root(result), nodes.length);
  const alive = new Map<Tensor, number>();
  let [live, work, decoded] = [0, 0, 0];
  const hold = (node: Tensor, bytes: number): void => {
    alive.set(node, bytes);
    live += bytes;
  };
  for (const [i, node] of nodes.entries()) {
    if (isLeafOp(node)) continue;
    const operands = [...new Set(node.inputs.map(root))];
    for (const operand of operands)
      if (operand.op === 'Parameter' && node.op !== 'Gather' && root(node) !== operand && !alive.has(operand)) {
        const isWidened = stored(nameOf(operand)).form === 'widened';
        hold(operand, isWidened ? bytesOf(operand) : 0);
        decoded += isWidened ? sizeOf(operand.shape) : 0;
      }
    const dying = operands.find(
      (x) => last.get(x) === i && alive.has(x) && x.op !== 'Parameter' && alive.get(x) === bytesOf(node),
    );
    const takesOver = IN_PLACE.has(node.op) && dying !== undefined;
    if (root(node) === node && !takesOver) hold(node, given.has(node) ? 0 : bytesOf(node));
    work = Math.max(work, live + scratch(node));
    for (const operand of operands)
      if (last.get(operand) === i && alive.has(operand)) {
        const bytes = alive.get(operand) as number;
        alive.delete(operand);
        if (takesOver && operand === dying) alive.set(node, bytes);
        else live -= bytes;
      }
  }
  return { work, decoded };
}

/** Bytes that a kernel needs while it runs. */
function scratch(node: Tensor): number {
  // Convolutions work in a layout of their own: copies of input and result.
  if (node.op === 'Conv') return bytesOf(node.inputs[0] as Tensor) + bytesOf(node);
  // All three apart by heads.
  if (node.op === 'FlashAttention') return node.inputs.reduce((sum, x) => sum + bytesOf(x), 0);
  if (node.op !== 'Attention') return 0;
  const [q, k] = node.inputs as [Tensor, Tensor];
  return BYTES.float32 * sizeOf(q.shape.slice(0, 3)) * dim(k.shape, 2);
}
