/**
 * The VAE's half of an evaluation: real clips encoded and decoded, compared with themselves and with H.264 of the same size,
 * scored, and looked at where chunks meet. Needs no text and no denoiser.
 */
import path from 'node:path';
import { MOTIONS } from '../data/motion.ts';
import { renderScene, type Scene } from '../data/scene.ts';
import { StepVideoError } from '../errors.ts';
import type { Vae } from '../vae/load.ts';
import { type Context, pause, SHOWN_CLIPS } from './context.ts';
import { type ClipFeatures, clipFeatures } from './feature-network.ts';
import { frechetDistance } from './frechet.ts';
import { type CodedVideo, codeH264, codeLatents } from './rate-match.ts';
import {
  decodeClip,
  encodeClip,
  type Fidelity,
  type FidelitySummary,
  fidelity,
  SEAM_FRAMES,
  seamSteps,
  summarizeFidelity,
} from './reconstruction.ts';
import type { RateComparison, ReconstructionReport } from './report.ts';
import { type ScoredClip, type Scores, scored, scoresOf } from './scores.ts';
import { type SheetRow, writeSheet } from './sheet.ts';
import { longScenes, unseenScenes } from './test-set.ts';

/** Clips of unseen subjects, long clips for the seam, clips coded by H.264: their means settle early, and each costs seconds. */
const MOST_UNSEEN = 48;
const MOST_LONG = MOTIONS.length;
const MOST_CODED = 12;

/** Reconstructs and compares; writes `reconstructions.png`, real clips above their reconstructions. */
export async function evaluateReconstruction(
  vae: Vae,
  context: Context,
): Promise<{ vaeCeiling: Scores; reconstruction: ReconstructionReport; files: string[] }> {
  const { known, settings } = context;
  const cases = context.cases.main;
  const { frames, seed } = settings;
  const scenes = cases.map(({ scene }) => scene);
  const results: ScoredClip[] = [];
  const rows: SheetRow[] = [];
  const trained = await compareClips(vae, context, {
    ...{ stage: 'through the VAE', scenes, frames },
    each({ real, made }, like) {
      const { scene, prompts } = cases[results.length]!;
      if (results.length < SHOWN_CLIPS / 2)
        rows.push(
          { pixels: real, caption: prompts.en, verdict: 'real' },
          { pixels: made, caption: '', verdict: `${like.psnr.toFixed(1)} dB` },
        );
      results.push(scored(known, scene, made));
    },
  });
  const others = unseenScenes(known, { count: Math.min(cases.length, MOST_UNSEEN), seed, frames });
  const unseen = await compareClips(vae, context, {
    ...{ stage: 'through the VAE, unseen subjects', scenes: others, frames },
  });
  const file = path.join(context.out, 'reconstructions.png');
  await writeSheet(file, rows);
  const reconstruction: ReconstructionReport = {
    trained: { ...summarizeFidelity(trained.all), byMotion: byMotion(scenes, trained.all) },
    unseen: unseen.all.length === 0 ? undefined : summarizeFidelity(unseen.all),
    frechet: trained.frechet,
    unseenFrechet: unseen.frechet,
    coded: trained.coded,
    unseenCoded: unseen.coded,
    seam: await seam(vae, context),
  };
  return { vaeCeiling: scoresOf(results), reconstruction, files: [file] };
}

/** A real clip, its latents, and what they decode to. */
type Reconstruction = { readonly real: Uint8Array; readonly latents: Float32Array; readonly made: Uint8Array };
type Stage = { readonly stage: string; readonly scenes: readonly Scene[]; readonly frames: number };

/** Every scene drawn, reconstructed and compared, the first ones at equal bytes too; `each` sees the clips in order. */
async function compareClips(
  vae: Vae,
  context: Context,
  { each = () => {}, ...stage }: Stage & { each?: (clip: Reconstruction, like: Fidelity) => void },
): Promise<{ all: Fidelity[]; frechet: number | undefined; coded: RateComparison | undefined }> {
  const features = { real: clipFeatures(context.features), made: clipFeatures(context.features) };
  const all: Fidelity[] = [];
  const rates = rateComparison(vae, context);
  for await (const clip of reconstructions(vae, context, stage)) {
    const like = fidelity(clip.real, clip.made);
    each(clip, like);
    if (all.length < MOST_CODED) await rates.add(clip);
    all.push(like);
    await features.real.add(clip.real);
    await features.made.add(clip.made);
  }
  if (all.length === 0) return { all, frechet: undefined, coded: undefined };
  return { all, frechet: distance(features.real, features.made), coded: rates.result() };
}

function distance(a: ClipFeatures, b: ClipFeatures): number | undefined {
  const [first, second] = [a.gaussian(), b.gaussian()];
  return first && second && frechetDistance(first, second);
}

/** Clips as 8-bit latents and as H.264 of no more bytes; without an encoder only the reason comes out. */
function rateComparison(vae: Vae, { settings: { fps }, features }: Context) {
  const side = () => ({ bytes: 0, all: [] as Fidelity[], features: clipFeatures(features) });
  const [ours, h264, reals] = [side(), side(), clipFeatures(features)];
  let missing: string | undefined;
  return {
    async add({ real, latents }: Reconstruction): Promise<void> {
      if (missing !== undefined) return;
      const coded = codeLatents(latents);
      let video: CodedVideo;
      try {
        video = await codeH264(real, coded.bytes, fps);
      } catch (error) {
        if (!(error instanceof StepVideoError && error.kind === 'environment')) throw error;
        missing = error.message;
        return;
      }
      await reals.add(real);
      for (const [into, bytes, pixels] of [
        [ours, coded.bytes, await decodeClip(vae, coded.latents)],
        [h264, video.bytes, video.pixels],
      ] as const) {
        into.bytes += bytes;
        into.all.push(fidelity(real, pixels));
        await into.features.add(pixels);
      }
    },
    result(): RateComparison {
      if (missing !== undefined) return { clips: 0, missing };
      const clips = ours.all.length;
      const summary = ({ bytes, all, features: its }: typeof ours) => ({
        ...{ bytes: bytes / clips, ...summarizeFidelity(all), frechet: distance(reals, its) },
      });
      return { clips, latents: summary(ours), h264: summary(h264) };
    },
  };
}

async function seam(vae: Vae, context: Context): Promise<ReconstructionReport['seam']> {
  const { known, cases, settings } = context;
  const shown = cases.main.slice(0, MOST_LONG).map(({ scene }) => scene);
  const scenes = longScenes(known, shown, { frames: SEAM_FRAMES, seed: settings.seed });
  const real: Uint8Array[] = [];
  const made: Uint8Array[] = [];
  const stage = { stage: 'through the VAE, two chunks', scenes, frames: SEAM_FRAMES };
  for await (const clip of reconstructions(vae, context, stage)) {
    real.push(clip.real);
    made.push(clip.made);
  }
  return { clips: scenes.length, reconstructed: seamSteps(made), real: seamSteps(real) };
}

async function* reconstructions(
  vae: Vae,
  context: Context,
  { stage, scenes, frames }: Stage,
): AsyncGenerator<Reconstruction, void, void> {
  for (const [done, scene] of scenes.entries()) {
    await pause(context, { stage, done, total: scenes.length });
    const real = renderScene(context.known.world, scene, { frames });
    const latents = await encodeClip(vae, real);
    yield { real, latents, made: await decodeClip(vae, latents) };
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
