/**
 * Gradients of one step: the backward pass of every bucket, run as often as the step accumulates, averaged by weight.
 * Knows graphs and batches; does not know what is done with the gradients.
 */
import { compile, type Executable } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { floats, type Value, type Values, zeros } from '../runtime/value.ts';
import { add, grad, gradRecomputed, sqrt, square, sum, type Tensor } from '../tensor/index.ts';
import type { Parameter } from './parameters.ts';

/** One shape of batch: its loss graph, built once, and its data, a function of the step. */
export type Bucket = {
  readonly name: string;
  readonly weight: number;
  readonly samples: number;
  /** Scalars to report, `loss` among them; only `loss` is differentiated. */
  readonly losses: Readonly<Record<string, Tensor>> & { readonly loss: Tensor };
  /** Outputs of the network's blocks, which a run that recomputes activations keeps; the rest is computed again. */
  readonly kept?: readonly Tensor[];
  batch(step: number, micro: number): Values | Promise<Values>;
  /** Tensors of the graph that `take` is handed after each pass: what another objective learns from. */
  readonly made?: Readonly<Record<string, Tensor>>;
  take?(micro: number, made: Values): void;
};

/** How often each bucket runs in a step, by the bucket's place; every bucket as often as the step accumulates, unless given. */
export type Passes = (step: number) => readonly number[];

export type StepGradients = {
  /** Weighted means of the losses, and `bucket.loss` of each bucket where there are several. */
  readonly figures: Readonly<Record<string, number>>;
  /** Global norm of the averaged gradient. */
  readonly norm: number;
  readonly samples: number;
  /** Arithmetic of the step. */
  readonly flops: number;
  /** Time that the step waited for its batches. */
  readonly dataSeconds: number;
};

export interface Gradients {
  /** Fills the parameters' own gradient buffers with the weighted mean over buckets and micro batches of `step`. */
  accumulate(weights: Values, step: number): Promise<StepGradients>;
  dispose(): Promise<void>;
}

export type GradientOptions = {
  readonly buckets: readonly Bucket[];
  readonly passes?: Passes | undefined;
  /** The graph tensor of each parameter. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly parameters: readonly Parameter[];
  readonly accumulate: number;
  readonly recompute: boolean;
  readonly device: Device;
  readonly threads: number | undefined;
};

/** Compiles the backward pass of every bucket. */
export async function createGradients(options: GradientOptions): Promise<Gradients> {
  const { buckets, parameters, accumulate, device, threads } = options;
  const passesOf = options.passes ?? (() => buckets.map(() => accumulate));
  // The only pass of a step may write its gradients where they belong, and take their norm on the way.
  const isSingle = buckets.length * accumulate === 1 && options.passes === undefined;
  const executables: Executable[] = [];
  for (const bucket of buckets)
    executables.push(await compile(backwardGraph(bucket, options, isSingle), { device, threads }));
  const into: Record<string, Value> = {};
  // Of several passes each writes over the last one's, already added up.
  for (const p of parameters) into[`gradient:${p.name}`] = isSingle ? p.gradient : zeros(p.value.shape);
  return {
    async accumulate(weights, step) {
      const counts = passesOf(step);
      const total = buckets.reduce((sum, bucket, i) => sum + counts[i]! * bucket.weight, 0);
      const figures = figureSums(buckets, counts);
      let [norm, flops, samples, isFirst, waited] = [0, 0, 0, true, 0];
      for (const [i, bucket] of buckets.entries())
        for (let micro = 0; micro < counts[i]!; micro++) {
          const asked = performance.now();
          const batch = await bucket.batch(step, micro);
          waited += performance.now() - asked;
          const results = await executables[i]!.run({ ...weights, ...batch }, into);
          if (isSingle) norm = floats(results['norm'])[0] as number;
          else addGradients(parameters, results, { share: bucket.weight / total, isFirst });
          isFirst = false;
          flops += flopsOf(executables[i]!);
          samples += bucket.samples;
          figures.add(i, results);
          const made = Object.keys(bucket.made ?? {}).map((name) => [name, results[`made:${name}`] as Value]);
          bucket.take?.(micro, Object.fromEntries(made));
        }
      if (!isSingle) norm = globalNorm(parameters);
      return { figures: figures.means, norm, samples, flops, dataSeconds: waited / 1000 };
    },
    async dispose() {
      await Promise.all(executables.map((executable) => executable.dispose()));
    },
  };
}

const flopsOf = (executable: Executable): number =>
  [...executable.costs.values()].reduce((n, cost) => n + cost.flops, 0);

function backwardGraph(bucket: Bucket, options: GradientOptions, withNorm: boolean): Record<string, Tensor> {
  const { tensors, parameters, recompute } = options;
  const targets = parameters.map((p) => tensors.get(p.name) as Tensor);
  const { loss } = bucket.losses;
  const gradients = recompute ? gradRecomputed(loss, targets, bucket.kept ?? []) : grad(loss, targets);
  const outputs: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(bucket.losses)) outputs[`loss:${name}`] = tensor;
  for (const [name, tensor] of Object.entries(bucket.made ?? {})) outputs[`made:${name}`] = tensor;
  parameters.forEach((p, i) => {
    outputs[`gradient:${p.name}`] = gradients[i] as Tensor;
  });
  if (withNorm) outputs['norm'] = sqrt(gradients.map((g) => sum(square(g))).reduce((a, b) => add(a, b)));
  return outputs;
}

/** Means of every reported scalar: over all buckets by weight, and of each bucket alone. */
function figureSums(buckets: readonly Bucket[], counts: readonly number[]) {
  const total = buckets.reduce((sum, bucket, i) => sum + counts[i]! * bucket.weight, 0);
  const means: Record<string, number> = {};
  const addTo = (name: string, value: number): void => {
    means[name] = (means[name] ?? 0) + value;
  };
  return {
    means,
    add(index: number, results: Values): void {
      const bucket = buckets[index]!;
      for (const name of Object.keys(bucket.losses)) {
        const value = floats(results[`loss:${name}`])[0] as number;
        addTo(name, (value * bucket.weight) / total);
        if (buckets.length > 1) addTo(`${bucket.name}.${name}`, value / counts[index]!);
      }
    },
  };
}

function addGradients(
  parameters: readonly Parameter[],
  results: Values,
  { share, isFirst }: { share: number; isFirst: boolean },
): void {
  for (const p of parameters) {
    const from = floats(results[`gradient:${p.name}`]);
    const to = floats(p.gradient);
    if (isFirst) for (let i = 0; i < to.length; i++) to[i] = (from[i] as number) * share;
    else for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + (from[i] as number) * share;
  }
}

function globalNorm(parameters: readonly Parameter[]): number {
  let total = 0;
  for (const p of parameters) for (const g of floats(p.gradient)) total += g * g;
  return Math.sqrt(total);
}
