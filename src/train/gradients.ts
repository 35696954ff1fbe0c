/**
 * Gradients of one step: the backward pass of every bucket, run as often as the step accumulates, averaged by weight.
 * Knows graphs and batches; does not know what is done with the gradients.
 */
import { compile, type Executable } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { floats, type Value, type Values } from '../runtime/value.ts';
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
};

export type StepGradients = {
  /** Weighted means of the losses, and `bucket.loss` of each bucket where there are several. */
  readonly figures: Readonly<Record<string, number>>;
  /** Global norm of the averaged gradient. */
  readonly norm: number;
  readonly samples: number;
  /** Time that the step waited for its batches. */
  readonly dataSeconds: number;
};

export interface Gradients {
  /** Fills the parameters' own gradient buffers with the weighted mean over buckets and micro batches of `step`. */
  accumulate(weights: Values, step: number): Promise<StepGradients>;
  /** Arithmetic of one step. */
  readonly flops: number;
  dispose(): Promise<void>;
}

export type GradientOptions = {
  readonly buckets: readonly Bucket[];
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
  // The only pass of a step may write its gradients where they belong, and take their norm on the way.
  const isSingle = buckets.length * accumulate === 1;
  const passes: Pass[] = [];
  for (const bucket of buckets) {
    const executable = await compile(backwardGraph(bucket, options, isSingle), { device, threads });
    passes.push({ bucket, executable });
  }
  const into: Record<string, Value> = {};
  if (isSingle) for (const p of parameters) into[`gradient:${p.name}`] = p.gradient;
  const total = buckets.reduce((sum, b) => sum + b.weight, 0) * accumulate;
  return {
    flops: accumulate * passes.reduce((n, { executable }) => n + flopsOf(executable), 0),
    async accumulate(weights, step) {
      const figures = figureSums(buckets, accumulate);
      let [norm, isFirst, waited] = [0, true, 0];
      for (const { bucket, executable } of passes)
        for (let micro = 0; micro < accumulate; micro++) {
          const asked = performance.now();
          const batch = await bucket.batch(step, micro);
          waited += performance.now() - asked;
          const results = await executable.run({ ...weights, ...batch }, into);
          if (isSingle) norm = floats(results['norm'])[0] as number;
          else addGradients(parameters, results, { share: bucket.weight / total, isFirst });
          isFirst = false;
          figures.add(bucket, results);
        }
      const samples = accumulate * buckets.reduce((n, b) => n + b.samples, 0);
      const dataSeconds = waited / 1000;
      return { figures: figures.means, norm: isSingle ? norm : globalNorm(parameters), samples, dataSeconds };
    },
    async dispose() {
      await Promise.all(passes.map(({ executable }) => executable.dispose()));
    },
  };
}

type Pass = { readonly bucket: Bucket; readonly executable: Executable };

const flopsOf = (executable: Executable): number =>
  [...executable.costs.values()].reduce((n, cost) => n + cost.flops, 0);

function backwardGraph(bucket: Bucket, options: GradientOptions, withNorm: boolean): Record<string, Tensor> {
  const { tensors, parameters, recompute } = options;
  const targets = parameters.map((p) => tensors.get(p.name) as Tensor);
  const { loss } = bucket.losses;
  const gradients = recompute ? gradRecomputed(loss, targets, bucket.kept ?? []) : grad(loss, targets);
  const outputs: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(bucket.losses)) outputs[`loss:${name}`] = tensor;
  parameters.forEach((p, i) => {
    outputs[`gradient:${p.name}`] = gradients[i] as Tensor;
  });
  if (withNorm) outputs['norm'] = sqrt(gradients.map((g) => sum(square(g))).reduce((a, b) => add(a, b)));
  return outputs;
}

/** Means of every reported scalar: over all buckets by weight, and of each bucket alone. */
function figureSums(buckets: readonly Bucket[], accumulate: number) {
  const total = buckets.reduce((sum, b) => sum + b.weight, 0);
  const means: Record<string, number> = {};
  const addTo = (name: string, value: number): void => {
    means[name] = (means[name] ?? 0) + value;
  };
  return {
    means,
    add(bucket: Bucket, results: Values): void {
      for (const name of Object.keys(bucket.losses)) {
        const value = (floats(results[`loss:${name}`])[0] as number) / accumulate;
        addTo(name, (value * bucket.weight) / total);
        if (buckets.length > 1) addTo(`${bucket.name}.${name}`, value);
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
