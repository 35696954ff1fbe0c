/**
 * Our networks beside the official modules under PyTorch eager: same weights, same inputs, two threads each, runs taking
 * turns, medians; the results of both are compared first. Not part of `npm run bench` without names, since it needs Python:
 *
 *   npm run bench -- versus-pytorch --official CHECKOUT [--python python3] [--only dit,vae] [--rounds 9] [--threads 2] [--tiny]
 */
import { parseArgs } from 'node:util';
import { inputError } from '../src/errors.ts';
import { type Comparison, denoiser, denoiserTraining } from './parts/compared-denoiser.ts';
import { clipEncoder, llmEncoder } from './parts/compared-text.ts';
import { decoding, vaeTraining } from './parts/compared-vae.ts';
import { median } from './parts/interleave.ts';
import { pytorchPeer } from './parts/pytorch-peer.ts';
import { report } from './parts/report.ts';

const text = { type: 'string' } as const;
const { values: flags } = parseArgs({
  options: { official: text, python: text, only: text, rounds: text, threads: text, tiny: { type: 'boolean' } },
});
const official = flags.official ?? process.env['STEP_VIDEO_OFFICIAL'];
if (official === undefined) throw inputError('versus-pytorch', '--official must name a checkout of the official code');
const [rounds, threads, tiny] = [Number(flags.rounds ?? 9), Number(flags.threads ?? 2), flags.tiny ?? false];
const all: Record<string, () => Promise<Comparison>> = {
  dit: () => denoiser({ width: 256, layers: tiny ? 1 : 8, frames: tiny ? 1 : 6, side: 8, threads }),
  'dit-wide': () => denoiser({ width: tiny ? 256 : 1024, layers: 2, frames: tiny ? 1 : 51, side: 8, threads }),
  'dit-wide-int8': () =>
    denoiser({ width: tiny ? 256 : 1024, layers: 2, frames: tiny ? 1 : 51, side: 8, threads, scheme: 'int8' }),
  vae: () => decoding({ side: tiny ? 32 : 128, threads }),
  llm: () => llmEncoder({ width: 512, layers: tiny ? 1 : 8, threads }),
  clip: () => clipEncoder({ width: 512, layers: tiny ? 1 : 8, threads }),
  'dit-train': () =>
    denoiserTraining({ width: 256, layers: tiny ? 1 : 8, frames: tiny ? 1 : 6, side: 8, batch: tiny ? 1 : 4, threads }),
  'vae-train': () => vaeTraining({ side: tiny ? 32 : 64, threads }),
};
const chosen = flags.only?.split(',') ?? Object.keys(all);

const peer = await pytorchPeer({ python: flags.python ?? 'python3', official, threads });
const rows = [];
for (const name of chosen) {
  const build = all[name];
  if (build === undefined) throw inputError('versus-pytorch', `--only takes ${Object.keys(all).join(', ')}`, name);
  const comparison = await build();
  await peer.load(comparison.peer);
  const [ours, theirs]: [number[], number[]] = [[], []];
  const mine = await comparison.run();
  await peer.run(comparison.peer.name);
  const deviation = relativeDeviation(mine, await peer.output(comparison.peer.name));
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await comparison.run();
    ours.push((performance.now() - start) / 1000);
    theirs.push(await peer.run(comparison.peer.name));
  }
  await comparison.dispose();
  const rate = (seconds: number): number => comparison.flops / seconds / 1e9;
  rows.push({
    name: comparison.peer.name,
    'ours ms': median(ours) * 1e3,
    'PyTorch ms': median(theirs) * 1e3,
    'times as fast': median(theirs.map((seconds, i) => seconds / ours[i]!)),
    'ours GFLOP/s': rate(median(ours)),
    'PyTorch GFLOP/s': rate(median(theirs)),
    deviation,
  });
}
report('versus-pytorch', rows, { rounds, threads, tiny, peer: peer.about });
await peer.dispose();

/** Largest difference over the largest magnitude. */
function relativeDeviation(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw inputError('versus-pytorch', 'results must be of one size', [a.length, b.length]);
  let [difference, magnitude] = [0, 0];
  a.forEach((x, i) => {
    difference = Math.max(difference, Math.abs(x - b[i]!));
    magnitude = Math.max(magnitude, Math.abs(b[i]!));
  });
  return difference / magnitude;
}
