/**
 * A network as a chain of stages whose weights come and go: each stage is a segment over values named by the stages before,
 * its weights mapped straight out of their files, those of the next one read while the present one computes.
 * One mechanism for every network; does not know what a stage computes.
 */
import type { WeightPlan } from '../onnx/model.ts';
import type { Tensor } from '../tensor/index.ts';
import type { Executable } from './compile.ts';
import type { Device } from './device.ts';
import { ProgramBuilder } from './program.ts';
import type { Values } from './value.ts';
import type { WeightFiles } from './weight-files.ts';

export type Stage = { readonly name: string; readonly outputs: Readonly<Record<string, Tensor>> };

export type StagedNetwork = {
  readonly stages: readonly Stage[];
  /** Fed on every run beside the network's own inputs, and the same each time: tables of positions. */
  readonly constants: Values;
};

/**
 * How the weights of a network are held. `whole`: one graph with all of them inside. `stages`: a session a stage, where the
 * first `held` stages stay open and the others are opened for each run and closed after it. `tile`: tokens that go through a
 * stage side by side; all where undefined. `apart`: the samples of a batch run one after another, at a batch's worth of reading
 * each.
 */
export type Placement = { readonly apart?: boolean | undefined } & (
  | { readonly weights: 'whole' }
  | { readonly weights: 'stages'; readonly held: number; readonly tile?: number | undefined }
);

export const WHOLE: Placement = { weights: 'whole' };

/** What runs a graph or a chain of them. */
export type Runner<Names extends string> = {
  run(feeds: Values, options?: { readonly signal?: AbortSignal | undefined }): Promise<Record<Names, Values[string]>>;
  dispose(): Promise<void>;
};

/** One graph as a runner. It computes in one piece, so a signal finds nothing to stop. */
export const whole = <Names extends string>(executable: Executable<Names>): Runner<Names> => ({
  run: (feeds) => executable.run(feeds),
  dispose: () => executable.dispose(),
});

export type StageOptions = {
  readonly device: Device;
  readonly threads?: number | undefined;
  readonly weights: WeightPlan;
  readonly files: WeightFiles;
  readonly held: number;
};

/** Opens the held stages of a chain that ends in value `result`; the feeds of a run are the names `fed`. */
export async function compileStages<Name extends string>(
  { stages, constants }: StagedNetwork,
  { fed, result }: { readonly fed: readonly string[]; readonly result: Name },
  { device, threads, weights, files, held }: StageOptions,
): Promise<Runner<Name>> {
  let chain = new ProgramBuilder<string, string>([...fed, ...Object.keys(constants)], []);
  for (const [i, { name, outputs }] of stages.entries())
    chain = chain.graph(name, outputs, { weights, files, lifetime: i < held ? 'program' : 'run' });
  // Without the arena a decoded weight leaves memory after its last use; kept, every one of a stage would stay.
  const compiled = await chain.compile({ device, threads, memoryArena: false });
  return {
    run: (feeds, { signal } = {}) =>
      compiled.run({ ...constants, ...feeds }, { returns: [result], signal }) as Promise<Record<Name, Values[string]>>,
    dispose: () => compiled.dispose(),
  };
}
