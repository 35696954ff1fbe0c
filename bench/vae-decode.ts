/**
 * Latents to frames with a VAE of the mini model's sizes and random 16-bit weights: 17 and 34 frames of 128x128, with the
 * memory that decoding adds to the process, the runtime's own included.
 *
 *   npm run bench -- vae-decode [--rounds 10] [--threads N] [--tiny]
 */
import { gaussian } from '../src/diffusion/noise.ts';
import { internalError } from '../src/errors.ts';
import { latentLength, latentShape } from '../src/latents.ts';
import { decodeFlops } from '../src/machine/graph-flops.ts';
import { loadVae } from '../src/vae/load.ts';
import { benchFlags } from './parts/flags.ts';
import { interleave } from './parts/interleave.ts';
import { vaeRun } from './parts/mini-configs.ts';
import { randomVae } from './parts/random-checkpoint.ts';
import { peakMegabytes, report, timingRow } from './parts/report.ts';
import { matmulYardstick } from './parts/yardstick.ts';

const flags = benchFlags({ rounds: 10 });
const side = flags.tiny ? 32 : 128;
const { model } = await vaeRun();
const checkpoint = await randomVae(model, 'F16');
const vae = await loadVae(checkpoint.directory, { device: 'cpu', threads: flags.threads });

const before = peakMegabytes();
const contenders = [17, 34].map((frames) => {
  const shape = latentShape({ frames, height: side, width: side }, model.z_channels);
  const latents = gaussian({ seed: 1, length: latentLength(shape) });
  const decode = async (): Promise<void> => {
    let decoded = 0;
    for await (const piece of vae.decode(latents, shape)) decoded += piece.length / (3 * side * side);
    if (decoded !== frames) throw internalError('vae-decode', `${frames} frames must come out`, decoded);
  };
  return { name: `${frames} frames ${side}x${side}`, flops: decodeFlops(model, shape), run: decode };
});
// Memory first: the high-water mark of the process must not be the yardstick's.
const added: number[] = [];
for (const { run } of contenders) {
  await run();
  added.push(peakMegabytes() - before);
}
const yardstick = await matmulYardstick({ size: flags.tiny ? 128 : 1024, threads: flags.threads });
const timings = await interleave(contenders, { yardstick, rounds: flags.rounds });
await Promise.all([yardstick.dispose(), vae.close(), checkpoint.remove()]);
const rows = timings.map((timing, i) => ({ ...timingRow(timing), 'added MB': added[i] }));
report('vae-decode', rows, { rounds: flags.rounds, threads: flags.threads ?? 'all', tiny: flags.tiny });
