/**
 * A graph as text: one line a node with stable local numbers, for people and for snapshot tests.
 */
import { constantOf, isLeaf, nameOf, reachable, type Tensor } from './tensor.ts';

/** `%3 = MatMul(%1, %2) float32[4, 8]` for each node that the outputs reach, then the outputs. */
export function print(outputs: readonly Tensor[]): string {
  const numbers = new Map<Tensor, number>();
  const lines = reachable(outputs).map((node, i) => {
    numbers.set(node, i);
    return `%${i} = ${describe(node, numbers)} ${node.dtype}[${node.shape.join(', ')}]`;
  });
  return [...lines, `return ${outputs.map((x) => `%${numbers.get(x)}`).join(', ')}`].join('\n');
}

function describe(node: Tensor, numbers: ReadonlyMap<Tensor, number>): string {
  if (node.op === 'Constant') {
    const data = constantOf(node);
    return `Constant(${data.length > 4 ? `${data.slice(0, 4).join(', ')}, …` : data.join(', ')})`;
  }
  if (isLeaf(node)) return `${node.op}(${nameOf(node)})`;
  const attributes = Object.entries(node.attributes).map(([k, v]) => `${k}=${JSON.stringify(v)}`);
  return `${node.op}(${[...node.inputs.map((x) => `%${numbers.get(x)}`), ...attributes].join(', ')})`;
}
