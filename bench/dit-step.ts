/**
 * One velocity of the denoiser, alone and as the conditional and unconditional pair of guidance: the mini model's sizes
 * (192 tokens), and width 256 x 8 layers at 384 tokens. Random weights, stored in 32 bits and in 16 as models ship.
 *
 *   npm run bench -- dit-step [--rounds 20] [--threads N] [--tiny]
 */
import { gaussian } from '../src/diffusion/noise.ts';
import { type Dit, loadDit, type VelocityCall } from '../src/dit/load.ts';
import { type LatentShape, latentLength } from '../src/latents.ts';
import { type TextLengths, velocityFlops } from '../src/machine/graph-flops.ts';
import { float32 } from '../src/runtime/value.ts';
import type { TransformerConfig } from '../src/weights/component-config.ts';
import { benchFlags } from './parts/flags.ts';
import { type Contender, interleave } from './parts/interleave.ts';
import { ditRun, transformerOf } from './parts/mini-configs.ts';
import { randomDit, type StoredDtype } from './parts/random-checkpoint.ts';
import { report, timingRow } from './parts/report.ts';
import { matmulYardstick } from './parts/yardstick.ts';

const flags = benchFlags({ rounds: 20 });
const run = await ditRun();
const mini = transformerOf(run);
const text: TextLengths = { llm: run.textTokens, clip: run.model.clipTokens };
const latents = (frames: number): LatentShape => ({ frames, channels: mini.in_channels, height: 8, width: 8 });

type Size = { name: string; config: TransformerConfig; shape: LatentShape };
const sizes: Size[] = flags.tiny
  ? [{ name: 'tiny', config: { ...mini, num_attention_heads: 1, num_layers: 1 }, shape: latents(1) }]
  : [
      { name: 'mini', config: mini, shape: latents(3) },
      { name: 'd256 x 8', config: { ...mini, num_attention_heads: 4, num_layers: 8 }, shape: latents(6) },
    ];

const yardstick = await matmulYardstick({ size: flags.tiny ? 128 : 1024, threads: flags.threads });
const contenders: Contender[] = [];
const closing: (() => Promise<void>)[] = [yardstick.dispose];
for (const { name, config, shape } of sizes)
  for (const dtype of ['F32', 'F16'] satisfies StoredDtype[]) {
    const checkpoint = await randomDit(config, dtype);
    const dit = await loadDit(checkpoint.directory, { device: 'cpu', threads: flags.threads });
    closing.push(() => dit.close(), checkpoint.remove);
    for (const batch of [1, 2])
      contenders.push({
        name: `${name} batch ${batch} ${dtype}`,
        flops: velocityFlops(config, { batch, shape, text }),
        run: velocityOf(dit, { batch, shape }),
      });
  }
const timings = await interleave(contenders, { yardstick, rounds: flags.rounds });
for (const close of closing) await close();
report('dit-step', timings.map(timingRow), { rounds: flags.rounds, threads: flags.threads ?? 'all', tiny: flags.tiny });

function velocityOf(dit: Dit, { batch, shape }: { batch: number; shape: LatentShape }): () => Promise<Float32Array> {
  const normal = (length: number): Float32Array => gaussian({ seed: 1, length });
  const { caption_channels: widths } = dit.config;
  const [llmWidth, clipWidth] = typeof widths === 'number' ? [widths] : widths;
  const states = (positions: number, width: number) =>
    float32(normal(batch * positions * width), [batch, positions, width]);
  const call: VelocityCall = {
    latents: normal(batch * latentLength(shape)),
    batch,
    shape,
    t: 0.5,
    text: {
      llm: states(text.llm, llmWidth),
      clip: clipWidth === undefined ? undefined : states(text.clip, clipWidth),
      lengths: new Array<number>(batch).fill(text.llm),
    },
  };
  return () => dit.velocity(call);
}
