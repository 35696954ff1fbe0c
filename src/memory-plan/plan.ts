/**
 * What one generation will hold in memory and read from disk, decided before it starts: for each network whether it is one graph
 * or streamed by stages, how much stays, in what tiles tokens go, and why. The same plan drives the run.
 * Knows networks and bytes; seconds are added by whoever has measured the machine.
 */
import { needsUnconditional } from '../diffusion/guidance.ts';
import { inputError } from '../errors.ts';
import { latentLength, latentShape } from '../latents.ts';
import { clipTokens, llmTokens } from '../prompt/tokenize.ts';
import type { SamplingRequest } from '../request.ts';
import { capabilitiesOf, type Device } from '../runtime/device.ts';
import { type Placement, WHOLE } from '../runtime/stages.ts';
import { type DecodePlan, decodePlan } from '../vae/decode-plan.ts';
import { checkComponent, openComponent } from '../weights/checkpoint.ts';
import type { Component } from '../weights/component-config.ts';
import { availableMemory, formatMemory, roundedUp } from './memory-size.ts';
import {
  type Components,
  clipCost,
  decoderCost,
  denoiserCost,
  type NetworkCost,
  type Sizes,
  stepLlmCost,
} from './network-cost.ts';
import { BASE_BYTES, type Choice, choosePlacement, residentPlacement } from './placements.ts';
import { reasonOf } from './reasons.ts';

/** How each network of a pipeline holds its weights, and what decoding may add to the process: what is free then unless said. */
export type Placements = {
  readonly llm: Placement;
  readonly clip: Placement;
  readonly dit: Placement;
  readonly decodeBytes?: number | undefined;
};

export type NetworkPlan = {
  readonly component: Component;
  readonly placement: Placement;
  readonly cost: NetworkCost;
  /** Most memory of the process while the network runs, in bytes. */
  readonly peak: number;
  /** Of the VAE's decoder: how it works through a chunk. */
  readonly decode?: DecodePlan | undefined;
  readonly why: string;
};

export type MemoryPlan = {
  /** Bytes that may be used, and whether somebody asked for that. */
  readonly memory: number;
  readonly asked: boolean;
  /** In the order in which they run; one leaves before the next one comes. */
  readonly networks: readonly NetworkPlan[];
  readonly peak: number;
  /** Bytes written beside the video. */
  readonly disk: number;
  readonly placements: Placements;
};

export type MemoryPlanOptions = {
  readonly device: Device;
  /** Bytes; what is free on the machine where undefined. */
  readonly memory?: number | undefined;
  /** Latents are done: only the decoder runs. */
  readonly decodeOnly?: boolean | undefined;
  /** Longest side of a tile of decoded frames, in pixels. */
  readonly tile?: number | undefined;
};

/** Tokens that go through a block side by side, where not all can: fewer below would leave matrix products idle. */
const TILES = [16384, 8192, 4096, 2048, 1024, 512, 256, 128];

/**
 * Plans a generation of `sampling` with the checkpoint in `directory`, of which only headers are read.
 * @throws checkpoint error where a component is not whole; input error where no plan fits the memory that was asked for, with the
 * least that would do, or where steps are to be skipped by a denoiser that does not fit whole.
 */
export async function planMemory(
  directory: string,
  sampling: Pick<SamplingRequest, 'frames' | 'height' | 'width' | 'steps' | 'guidanceScale'> & { stepCache?: number },
  { device, memory, tile, decodeOnly = false }: MemoryPlanOptions,
): Promise<MemoryPlan> {
  const components = await openAll(directory);
  try {
    const sizes: Sizes = {
      batch: needsUnconditional(sampling.guidanceScale) ? 2 : 1,
      shape: latentShape(sampling, components.transformer.config.in_channels),
      steps: sampling.steps,
      text: { llm: llmTokens, clip: Math.min(clipTokens, components.hunyuan_clip.config.max_position_embeddings) },
    };
    const limit = memory ?? availableMemory();
    const choices = choose(components, sizes, { device, memory: limit, tile });
    const running = choices.filter(({ cost }) => !decodeOnly || cost.component === 'vae');
    if (memory !== undefined) refuseBelow(running, memory);
    const placementOf = (component: Component): Placement =>
      choices.find(({ cost }) => cost.component === component)?.placement ?? WHOLE;
    if (sampling.stepCache && !decodeOnly) refuseCache(placementOf('transformer'));
    return {
      memory: limit,
      asked: memory !== undefined,
      networks: running.map((choice) => ({
        ...choice,
        component: choice.cost.component,
        why: reasonOf(choice, limit),
      })),
      peak: Math.max(...running.map(({ peak }) => peak)),
      disk: 4 * latentLength(sizes.shape),
      placements: {
        llm: placementOf('step_llm'),
        clip: placementOf('hunyuan_clip'),
        dit: placementOf('transformer'),
        decodeBytes: memory === undefined ? undefined : memory - BASE_BYTES,
      },
    };
  } finally {
    await Promise.all(Object.values(components).map(({ source }) => source.close()));
  }
}

async function openAll(directory: string): Promise<Components> {
  const opened = {
    transformer: await openComponent(directory, 'transformer'),
    vae: await openComponent(directory, 'vae'),
    step_llm: await openComponent(directory, 'step_llm'),
    hunyuan_clip: await openComponent(directory, 'hunyuan_clip'),
  };
  for (const component of Object.values(opened)) checkComponent(component);
  return opened;
}

/** The networks in the order in which they run, each as it fits best. Weights are streamed on the CPU only. */
function choose(
  components: Components,
  sizes: Sizes,
  { device, memory, tile }: { device: Device; memory: number; tile: number | undefined },
): Choice[] {
  const form = capabilitiesOf(device).attention;
  const place = (costOf: (tile?: number) => NetworkCost, tiles?: readonly number[]): Choice =>
    device === 'cpu' ? choosePlacement(costOf, memory, tiles) : residentPlacement(costOf());
  const decoder = decoderCost(components.vae, sizes, form);
  const denoise = (batch: number): Choice =>
    place((tile) => denoiserCost(components.transformer, { ...sizes, batch }, { form, tile }), tilesBelow(sizes));
  const together = denoise(sizes.batch);
  const apart = (): Choice => {
    const { placement, cost, peak } = denoise(1);
    return { placement: { ...placement, apart: true }, cost: { ...cost, runs: sizes.batch * cost.runs }, peak };
  };
  const decode = decodePlan(components.vae.config, sizes.shape, memory - BASE_BYTES, { tile, form, orLeast: true });
  return [
    place(() => stepLlmCost(components.step_llm, sizes, form)),
    place(() => clipCost(components.hunyuan_clip, sizes, form)),
    together.peak <= memory || sizes.batch === 1 || device !== 'cpu' ? together : apart(),
    { placement: WHOLE, cost: decoder, peak: BASE_BYTES + decode.peakBytes, decode },
  ];
}

/** Only those that cut this request's tokens. */
const tilesBelow = ({ shape }: Sizes): number[] =>
  TILES.filter((tile) => tile < shape.frames * shape.height * shape.width);

function refuseBelow(choices: readonly Choice[], memory: number): void {
  const worst = choices.reduce((a, b) => (b.peak > a.peak ? b : a));
  if (worst.peak <= memory) return;
  const { component } = worst.cost;
  const name = { transformer: 'the denoiser', vae: 'the VAE decoder', step_llm: 'Step-LLM', hunyuan_clip: 'CLIP' }[
    component
  ];
  const bySize = component === 'transformer' || component === 'vae';
  throw inputError(
    'plan',
    `memory must be at least ${formatMemory(worst.peak)}, the least that ${name} takes at this size`,
    formatMemory(memory),
    `memory ${roundedUp(worst.peak)}${bySize ? ', or a smaller size or fewer frames' : ''}`,
  );
}

/** A step cache keeps the denoiser in three graphs of its own, which hold all weights and both samples. */
function refuseCache({ weights, apart }: Placement): void {
  if (weights === 'whole' && !apart) return;
  throw inputError(
    'plan',
    'a step cache needs the denoiser whole in memory',
    apart ? 'samples apart' : 'weights by stages',
    'stepCache 0',
  );
}
