/**
 * Recorded training of the denoiser: gradients of the flow-matching loss, AdamW by the trainer's own optimizer, Video-DPO.
 */
import { type DitInputs, ditVelocity } from '../dit/model.ts';
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { floats, type Value } from '../runtime/value.ts';
import { grad, input, mean, square, sub, type Tensor } from '../tensor/index.ts';
import type { GroupConfig } from '../train/config.ts';
import { dpoLoss, sampleErrors } from '../train/dpo-loss.ts';
import { createOptimizer } from '../train/optimizer.ts';
import { loadValues, trainedParameters } from '../train/parameters.ts';
import type { TransformerConfig } from '../weights/component-config.ts';
import { type Comparison, compare, compareRelative, compareSampled, compareUpdated } from './compare.ts';
import { conditions, flowPair, inputsOf } from './dit.ts';
import { type RecordedSet, recordedNumber, sampledRecord, withRecordedSet } from './vectors.ts';
import { openSetComponent } from './weights.ts';

type Weights = ReadonlyMap<string, Value>;
type Setup = {
  readonly recorded: RecordedSet;
  readonly config: TransformerConfig;
  /** A fresh copy of the start weights. */
  readonly startWeights: () => Promise<Map<string, Value>>;
  readonly text: Awaited<ReturnType<typeof conditions>>;
  readonly winner: ReturnType<typeof flowPair>;
  readonly loser: ReturnType<typeof flowPair> | undefined;
};

/** Single precision leaves 1e-6 open in an error, and four errors make a logit of the preference loss. */
const ERROR_NOISE = 2e-6;

const OPTIONS = { device: 'cpu', threads: 1 } as const;

/** Everything recorded in set `name` of directory `dir`. */
export function compareDitTraining(dir: string, name: string): Promise<Comparison[]> {
  return withRecordedSet(dir, name, async (recorded) => {
    const { config, source } = await openSetComponent(recorded, 'transformer');
    const noise = await recorded.read('x0');
    const times = await recorded.read('timestep');
    const pair = async (data: string) => flowPair(noise, await recorded.read(data), times);
    const { specs } = scopeOf(config, await conditions(recorded), noise);
    const setup: Setup = {
      recorded,
      config,
      startWeights: () => loadValues(specs, source),
      text: await conditions(recorded),
      winner: await pair('x1'),
      loser: recorded.names.has('x1_loser') ? await pair('x1_loser') : undefined,
    };
    const { flow, adamw } = await compareSteps(setup);
    const dpo = setup.loser === undefined ? [] : await compareDpo(setup, setup.loser);
    return [...flow, ...adamw, ...dpo];
  });
}

/** The names and shapes of the weights. */
function scopeOf(config: TransformerConfig, text: Setup['text'], latents: Value): Scope {
  const scope = new Scope();
  ditVelocity(scope, config, 'primitive')(inputsOf({ latents, ...text }));
  return scope;
}

/** Gradients at the start weights, then as many steps of AdamW on the same batch as there are losses after the first. */
async function compareSteps({ recorded, config, startWeights, text, winner }: Setup) {
  const { latents, velocity } = winner;
  const feeds = { latents, ...text };
  const scope = new Scope();
  const predicted = ditVelocity(scope, config, 'primitive')(inputsOf(feeds));
  const loss = mean(square(sub(predicted, input('velocity', velocity.shape))));
  const names = [...scope.tensors.keys()];
  const gradients = grad(loss, [...scope.tensors.values()]);
  const outputs = Object.fromEntries(names.map((weight, i) => [weight, gradients[i] as Tensor]));
  const graph = await compile({ loss, ...outputs }, OPTIONS);

  const values = await startWeights();
  const parameters = trainedParameters(scope.specs, values, { groups: [adamwGroup(recorded)], average: false });
  const into = Object.fromEntries(parameters.map((p) => [p.name, p.gradient]));
  const run = async (): Promise<number> => {
    const results = await graph.run({ ...feeds, velocity, ...Object.fromEntries(values) }, into);
    return floats(results.loss)[0]!;
  };
  const losses = [await run()];
  const flow = [await whole(recorded, 'flow.loss', losses)];
  for (const p of parameters) {
    const name = `flow.grad.${p.name}`;
    flow.push(compareSampled(name, floats(p.gradient), await sampledRecord(recorded, name)));
  }
  const adamw: Comparison[] = [];
  if (recorded.names.has('adamw.losses')) {
    const optimizer = await createOptimizer(parameters, OPTIONS);
    const steps = floats(await recorded.read('adamw.losses')).length - 1;
    for (let step = 1; step <= steps; step++) {
      await optimizer.step({ rate: 1, clip: 1, step });
      losses.push(await run());
    }
    await optimizer.dispose();
    adamw.push(await whole(recorded, 'adamw.losses', losses));
    for (const p of parameters) {
      const name = `adamw.param.${p.name}`;
      adamw.push(compareUpdated(name, floats(p.value), await sampledRecord(recorded, name)));
    }
  }
  await graph.dispose();
  return { flow, adamw };
}

/** The optimizer of the set's own words, or the official rates where they are silent. */
function adamwGroup(recorded: RecordedSet): GroupConfig {
  return {
    pattern: '',
    optimizer: 'adamw',
    lr: recordedNumber(recorded, 'adamw', /lr ([\d.e-]+)/, 1e-3),
    betas: [
      recordedNumber(recorded, 'adamw', /betas ([\d.]+)\//, 0.9),
      recordedNumber(recorded, 'adamw', /betas [\d.]+\/([\d.]+)/, 0.999),
    ],
    eps: recordedNumber(recorded, 'adamw', /eps ([\d.e-]+)/, 1e-8),
    weightDecay: recordedNumber(recorded, 'adamw', /weight decay ([\d.e-]+)/, 1e-2),
    momentum: 0,
    scale: 'rms',
    split: 1,
    lastTap: false,
  };
}

/** Errors of policy and reference, loss, and its gradient for every weight of the policy. */
async function compareDpo(
  { recorded, config, startWeights, text, winner }: Setup,
  loser: Setup['winner'],
): Promise<Comparison[]> {
  const policy = await startWeights();
  const reference = scaled(policy, Number(/by ([\d.]+)/.exec(String(recorded.info.reference ?? ''))?.[1] ?? 0.98));
  const feedsOf = (pair: Setup['winner']) => ({ latents: pair.latents, ...text });

  const one = new Scope();
  const errors = sampleErrors(
    ditVelocity(one, config, 'primitive')(inputsOf(feedsOf(winner))),
    input('velocity', winner.velocity.shape),
  );
  const errorGraph = await compile({ errors }, OPTIONS);
  const referenceErrors = async (pair: Setup['winner']): Promise<Value> =>
    (await errorGraph.run({ ...feedsOf(pair), velocity: pair.velocity, ...Object.fromEntries(reference) })).errors;
  const given = { refWinner: await referenceErrors(winner), refLoser: await referenceErrors(loser) };
  await errorGraph.dispose();

  const scope = new Scope();
  const inputs = inputsOf(feedsOf(winner));
  const shape = winner.latents.shape;
  const policyErrors = (own: Scope, side: 'winner' | 'loser'): Tensor => {
    const sided: DitInputs = { ...inputs, latents: input(`${side}.latents`, shape) };
    return sampleErrors(ditVelocity(own, config, 'primitive')(sided), input(`${side}.velocity`, shape));
  };
  const sides = {
    winner: policyErrors(scope, 'winner'),
    loser: policyErrors(scope.reused(), 'loser'),
    referenceWinner: input('refWinner', given.refWinner.shape),
    referenceLoser: input('refLoser', given.refLoser.shape),
  };
  const beta = Number(recorded.info.beta ?? 500);
  const { loss, logits } = dpoLoss(sides, beta);
  const names = [...scope.tensors.keys()];
  const gradients = grad(loss, [...scope.tensors.values()]);
  const graph = await compile(
    {
      loss,
      logits,
      err_winner: sides.winner,
      err_loser: sides.loser,
      ...Object.fromEntries(names.map((weight, i) => [`grad.${weight}`, gradients[i] as Tensor])),
    },
    OPTIONS,
  );
  const results: Record<string, Value> = await graph.run({
    ...text,
    'winner.latents': winner.latents,
    'winner.velocity': winner.velocity,
    'loser.latents': loser.latents,
    'loser.velocity': loser.velocity,
    ...given,
    ...Object.fromEntries(policy),
  });
  await graph.dispose();

  const comparisons: Comparison[] = [
    await whole(recorded, 'dpo.ref_err_winner', floats(given.refWinner)),
    await whole(recorded, 'dpo.ref_err_loser', floats(given.refLoser)),
  ];
  for (const [output, value] of Object.entries(results)) {
    const name = `dpo.${output}`;
    comparisons.push(
      output.startsWith('grad.')
        ? compareRelative(name, floats(value), await sampledRecord(recorded, name))
        : await whole(recorded, name, floats(value), /^(loss|logits)$/.test(output) ? beta * ERROR_NOISE : 0),
    );
  }
  return comparisons;
}

/** The frozen reference: the policy's start weights, its last projection and every modulation table made a little smaller. */
function scaled(weights: Weights, factor: number): Map<string, Value> {
  const f = Math.fround(factor);
  return new Map(
    [...weights].map(([name, value]) =>
      /^proj_out\.|(^|\.)scale_shift_table$/.test(name)
        ? [name, { ...value, data: floats(value).map((v) => v * f) }]
        : [name, value],
    ),
  );
}

/** `least`: what the tolerance is at least. */
async function whole(recorded: RecordedSet, name: string, computed: ArrayLike<number>, least = 0): Promise<Comparison> {
  const record = floats(await recorded.read(name));
  const usual = compare(name, computed, record, { deviation: recorded.deviation(name) });
  return usual.tolerance >= least ? usual : compare(name, computed, record, { tolerance: least });
}
