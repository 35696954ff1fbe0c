/**
 * The layer rule as data: what each folder of `src` may import. Does not read files.
 *
 *   cli → composition (generate, train, data, eval, parity, …) → stages → weights, nn → runtime → onnx → tensor → errors
 */

const STAGES = ['prompt', 'text', 'diffusion', 'dit', 'vae', 'video', 'features'];
const SUBSTRATE = ['tensor', 'onnx', 'runtime', 'nn', 'weights'];
/** Each composes stages, and may use its neighbours. Top-level files (generate.ts, request.ts …) form the layer `.`. */
const COMPOSITION = ['.', 'machine', 'memory-plan', 'train', 'data', 'eval', 'parity'];

/** Layers that each layer may import besides itself. `errors` and `nearest` may be imported by all. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  nearest: [],
  tensor: [],
  onnx: ['tensor'],
  runtime: ['onnx', 'tensor'],
  weights: ['runtime', 'onnx', 'tensor'],
  nn: ['weights', 'runtime', 'onnx', 'tensor'],
  hub: ['weights', 'runtime', 'onnx', 'tensor'],
  ...Object.fromEntries(STAGES.map((stage) => [stage, SUBSTRATE])),
  ...Object.fromEntries(COMPOSITION.map((layer) => [layer, [...COMPOSITION, ...STAGES, ...SUBSTRATE, 'hub']])),
  cli: [...COMPOSITION, ...STAGES, ...SUBSTRATE, 'hub'],
};

/**
 * Where files may import each other in a circle: op families, since the gradient of one is built of the others. Nothing
 * there runs an op while it is being imported.
 */
const CIRCLES_ALLOWED = 'src/tensor/ops/';

const FOUNDATION = ['errors', 'nearest'];

/** Layer of a file under `src/`: its folder, or for a top-level file `.` (errors and nearest are layers of their own). */
export function layerOf(file: string): string {
  const [, first, second] = file.split('/');
  if (second !== undefined) return first!;
  const name = first!.replace(/\.ts$/, '');
  return FOUNDATION.includes(name) ? name : '.';
}

/** What is wrong with `from` importing `to`, or undefined. Both are paths under `src/`. */
export function layerViolation(from: string, to: string): string | undefined {
  const [layer, target] = [layerOf(from), layerOf(to)];
  if (layer === target || FOUNDATION.includes(target)) return undefined;
  const allowed = MAY_IMPORT[layer];
  if (!allowed) return `${from}: folder ${layer} has no place in the layer rule`;
  return allowed.includes(target) ? undefined : `${from} imports ${to}: ${layer} must not import ${target}`;
}

/** Import cycles among `graph` (file → files), each once, as the files along it. */
export function importCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const state = new Map<string, 'open' | 'done'>();
  const trail: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      const cycle = [...trail.slice(trail.indexOf(file)), file];
      if (!cycle.every((at) => at.startsWith(CIRCLES_ALLOWED))) cycles.push(cycle);
      return;
    }
    state.set(file, 'open');
    trail.push(file);
    for (const next of graph.get(file) ?? []) visit(next);
    trail.pop();
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file);
  return cycles;
}
