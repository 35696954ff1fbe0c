/**
 * The VAE's half of an evaluation: real clips encoded and decoded, compared with themselves, scored, and looked at where
 * chunks meet. Needs no text and no denoiser.
 */
import path from 'node:path';
import { MOTIONS } from '../data/motion.ts';
import { renderScene, type Scene } from '../data/scene.ts';
import type { Vae } from '../vae/load.ts';
import { type Context, pause, SHOWN_CLIPS } from './context.ts';
import {
  type Fidelity,
  type FidelitySummary,
  fidelity,
  reconstruct,
  SEAM_FRAMES,
  seamSteps,
  summarizeFidelity,
} from './reconstruction.ts';
import type { ReconstructionReport } from './report.ts';
import { type ScoredClip, type Scores, scored, scoresOf } from './scores.ts';
import { type SheetRow, writeSheet } from './sheet.ts';
import { longScenes, SCORED_FRAMES, unseenScenes } from './test-set.ts';

/** Clips of unseen subjects, and long clips for the seam: their means settle early, and each costs as much as a scored one. */
const MOST_UNSEEN = 48;
const MOST_LONG = MOTIONS.length;

/** Reconstructs and compares; writes `reconstructions.png`, real clips above their reconstructions. */
export async function evaluateReconstruction(
  vae: Vae,
  context: Context,
): Promise<{ vaeCeiling: Scores; reconstruction: ReconstructionReport; files: string[] }> {
  const { world, cases, settings } = context;
  const results: ScoredClip[] = [];
  const trained: Fidelity[] = [];
  const rows: SheetRow[] = [];
  const scenes = cases.map(({ scene }) => scene);
  for await (const { real, made } of reconstructions(vae, scenes, { ...PART.trained, context })) {
    const { triple, prompts } = cases[results.length]!;
    const like = fidelity(real, made);
    if (results.length < SHOWN_CLIPS / 2)
      rows.push(
        { pixels: real, caption: prompts.en, verdict: 'real' },
        { pixels: made, caption: '', verdict: `${like.psnr.toFixed(1)} dB` },
      );
    results.push(scored(world, triple, made));
    trained.push(like);
  }
  const unseen: Fidelity[] = [];
  const others = unseenScenes(world, Math.min(cases.length, MOST_UNSEEN), settings.seed);
  for await (const { real, made } of reconstructions(vae, others, { ...PART.unseen, context }))
    unseen.push(fidelity(real, made));

  const file = path.join(context.out, 'reconstructions.png');
  await writeSheet(file, rows);
  const reconstruction = {
    trained: { ...summarizeFidelity(trained), byMotion: byMotion(scenes, trained) },
    unseen: unseen.length === 0 ? undefined : summarizeFidelity(unseen),
    seam: await seam(vae, context),
  };
  return { vaeCeiling: scoresOf(results), reconstruction, files: [file] };
}

async function seam(vae: Vae, context: Context): Promise<ReconstructionReport['seam']> {
  const triples = context.cases.slice(0, MOST_LONG).map(({ triple }) => triple);
  const scenes = longScenes(context.world, triples, { frames: SEAM_FRAMES, seed: context.settings.seed });
  const real: Uint8Array[] = [];
  const made: Uint8Array[] = [];
  for await (const clip of reconstructions(vae, scenes, { ...PART.seam, context })) {
    real.push(clip.real);
    made.push(clip.made);
  }
  return { clips: scenes.length, reconstructed: seamSteps(made), real: seamSteps(real) };
}

const PART = {
  trained: { stage: 'through the VAE', frames: SCORED_FRAMES },
  unseen: { stage: 'through the VAE, unseen subjects', frames: SCORED_FRAMES },
  seam: { stage: 'through the VAE, two chunks', frames: SEAM_FRAMES },
} as const;

async function* reconstructions(
  vae: Vae,
  scenes: readonly Scene[],
  { stage, frames, context }: { stage: string; frames: number; context: Context },
): AsyncGenerator<{ real: Uint8Array; made: Uint8Array }, void, void> {
  for (const [done, scene] of scenes.entries()) {
    await pause(context, { stage, done, total: scenes.length });
    const real = renderScene(context.world, scene, { frames });
    yield { real, made: await reconstruct(vae, real) };
  }
  await pause(context, { stage, done: scenes.length, total: scenes.length });
}

function byMotion(scenes: readonly Scene[], all: readonly Fidelity[]): Record<string, FidelitySummary> {
  return Object.fromEntries(
    MOTIONS.flatMap((motion) => {
      const own = all.filter((_, i) => scenes[i]!.motion === motion);
      return own.length === 0 ? [] : [[motion, summarizeFidelity(own)]];
    }),
  );
}
