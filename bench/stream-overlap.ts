/**
 * Whether reading and computing hide behind each other: a streamed denoiser of medium size with real weights, from a cold page
 * cache, against the same run from a warm one (computing alone) and against reading alone; over many
 * tokens and over few. The weights' files alone leave the cache, by `dd`: what else lay there is not read again.
 *
 *   npm run bench -- stream-overlap [--rounds 3] [--threads N] [--tiny]
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gaussian } from '../src/diffusion/noise.ts';
import { loadDit } from '../src/dit/load.ts';
import { float32 } from '../src/runtime/value.ts';
import { openWeightFiles } from '../src/runtime/weight-files.ts';
import { openComponent } from '../src/weights/checkpoint.ts';
import { benchFlags } from './parts/flags.ts';
import { report } from './parts/report.ts';
import { OFFICIAL, writeSynthetic } from './parts/synthetic-checkpoint.ts';

const flags = benchFlags({ rounds: 3 });
const heads = flags.tiny ? 1 : 16;
const config = { ...OFFICIAL.transformer, num_attention_heads: heads, num_layers: flags.tiny ? 2 : 8 };
const loads = flags.tiny
  ? [{ side: 2, text: 4 }]
  : [
      { side: 16, text: 320 },
      { side: 2, text: 4 },
    ];
const directory = await mkdtemp(path.join(tmpdir(), 'step-video-bench-'));
await writeSynthetic(directory, { configs: { transformer: config }, only: ['transformer'], scale: 0.02 });
const { source, files } = await openComponent(directory, 'transformer');
const ranges = [...source.tensors.values()].map(({ file, offset, byteLength }) => ({
  file,
  offset,
  length: byteLength,
}));

const dit = await loadDit(directory, {
  device: 'cpu',
  threads: flags.threads,
  placement: { weights: 'stages', held: 0 },
});
const normal = (length: number): Float32Array => gaussian({ seed: 1, length });
const callOf = ({ side, text }: (typeof loads)[number]) => ({
  latents: normal(64 * side * side),
  batch: 1,
  shape: { frames: 1, channels: 64, height: side, width: side },
  t: 0.5,
  text: {
    llm: float32(normal(text * 6144), [1, text, 6144]),
    clip: float32(normal(77 * 1024), [1, 77, 1024]),
    lengths: [text],
  },
});

const rows = [];
for (const load of loads) {
  const call = callOf(load);
  await dit.velocity(call);
  for (let round = 1; round <= flags.rounds; round++) {
    const weightFiles = await openWeightFiles(files);
    dropPages();
    const reading = await secondsOf(() => weightFiles.readAhead(ranges));
    await weightFiles.close();
    const computing = await secondsOf(() => dit.velocity(call));
    dropPages();
    const streamed = await secondsOf(() => dit.velocity(call));
    const longer = Math.max(reading, computing);
    const tokens = `${load.side ** 2}`;
    rows.push({ tokens, round: `${round}`, reading, computing, streamed, 'streamed / longer': streamed / longer });
  }
}
await dit.close();
await source.close();
await rm(directory, { recursive: true });
const bytes = ranges.reduce((sum, { length }) => sum + length, 0);
report('stream-overlap', rows, { gigabytes: bytes / 1e9, threads: flags.threads ?? 'all', tiny: flags.tiny });

async function secondsOf(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1e3;
}

/** The files' pages leave memory; they were written long enough ago to be clean. */
function dropPages(): void {
  for (const file of files) execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
}
