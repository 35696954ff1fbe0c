/**
 * An evaluation on someone's own clips, where nobody knows what they show: what the VAE leaves of the held-out ones, the
 * denoiser's loss on them, and clips of the first captions to look at. Scores of emoji world are `run.ts`'s.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ClipStream, FolderReport } from '../data/clip-source.ts';
import { folderSource } from '../data/folder-source.ts';
import { flowMatching } from '../diffusion/flow-matching.ts';
import { gaussian } from '../diffusion/noise.ts';
import { inputError, internalError } from '../errors.ts';
import { latentLength, latentShape } from '../latents.ts';
import { modelDirectory } from '../model-directory.ts';
import { loadPipeline, type Pipeline } from '../pipeline.ts';
import { presetOf } from '../presets.ts';
import { decodeSchema } from '../train/config.ts';
import { CHUNK_FRAMES } from '../vae/config.ts';
import { loadVae, type Vae } from '../vae/load.ts';
import { assertWritable } from '../video/writable.ts';
import { CLIP_SIZE } from './clip-pixels.ts';
import { type Context, pause } from './context.ts';
import { generateClips } from './generated-clips.ts';
import { modelHash } from './model-hash.ts';
import { decodeClip, encodeClip, type Fidelity, fidelity, summarizeFidelity } from './reconstruction.ts';
import type { EvaluationOptions } from './run.ts';
import { LANGUAGES, type Settings, settle, shellWord } from './settings.ts';
import { type SheetRow, writeSheet } from './sheet.ts';

/** Of the held-out files, each giving one clip; and of the captions. */
const MOST = { clips: 24, captions: 12 } as const;

/** Times that the loss is taken at, the middles of five equal bins; 0 is noise. */
const TIMES = [0.1, 0.3, 0.5, 0.7, 0.9];

export type OwnReport = {
  readonly format: 1;
  readonly command: string;
  readonly model: { readonly directory: string; readonly sha256: string };
  readonly data: FolderReport & { readonly directory: string; readonly identity: string };
  /** Length and rate of every clip, real or made. */
  readonly frames: number;
  readonly fps: number;
  readonly settings: Pick<Settings, 'seed' | 'steps' | 'guidanceScale' | 'timeShift' | 'device'>;
  readonly reconstruction?: (Fidelity & { readonly clips: number; readonly byClip: readonly Fidelity[] }) | undefined;
  /** Mean square of the velocity's error. */
  readonly loss?: { readonly clips: number; readonly mean: number; readonly byTime: Readonly<Record<string, number>> };
  readonly generated?: readonly { readonly prompt: string; readonly seed: number; readonly seconds: number }[];
};

/**
 * Runs it and writes `report.json`, `report.txt` and contact sheets to `out`. Clips are decoded at the model's rate.
 * @throws before any network runs: input error for bad options, data error for clips that cannot be used, checkpoint error
 * for a model that is not whole. Later: aborted or numeric error.
 */
export async function evaluateOwnClips(
  options: EvaluationOptions,
): Promise<{ report: OwnReport; text: string; files: string[] }> {
  const { out = path.join('out', 'eval'), threads, signal, onProgress, program = 'step-video', data } = options;
  if (options.triples !== undefined || (options.languages ?? LANGUAGES).length < LANGUAGES.length)
    throw inputError('eval', 'triples and languages are about emoji world', data, 'without these flags');
  const directory = modelDirectory(options.model);
  const preset = presetOf(directory);
  const settings = settle(options, preset);
  const { device, parts, seed, steps, guidanceScale, timeShift } = settings;
  await assertWritable(path.join(out, 'report.json'), 'mp4'); // "mp4": one file
  const isWhole = parts.includes('generated');
  const decode = decodeSchema.parse(isWhole ? { fps: preset.fps } : {});
  const source = await folderSource(data, {
    decode,
    captions: isWhole,
    onProgress: (done, total) => onProgress?.({ stage: 'decoding', done, total }),
  });
  const pipeline = isWhole ? await loadPipeline(directory, { device, threads, preset }) : undefined;
  const vae = await loadVae(directory, { device, threads });
  try {
    const frames = (await source.longest(signal)) >= CHUNK_FRAMES ? CHUNK_FRAMES : 1;
    const stream = await source.stream({ seed, frames, part: 'held-out', signal });
    if (stream === undefined) throw internalError('eval', 'a folder has held-out clips');
    await mkdir(out, { recursive: true });
    const context = { signal, onProgress };
    const files: string[] = [];
    const sheet = async (name: string, rows: readonly SheetRow[]): Promise<void> => {
      files.push(path.join(out, name));
      await writeSheet(path.join(out, name), rows);
    };
    const count = Math.min(MOST.clips, stream.files);
    const all = parts.includes('reconstruction') ? await reconstructAll(vae, { stream, count, context }) : undefined;
    if (all) await sheet('reconstructions.png', all.rows);
    const loss = pipeline && (await lossOf(pipeline, vae, { stream, count, context, seed, frames }));
    const prompts = [...new Set(source.vocabulary.corpus())].slice(0, MOST.captions);
    const made = pipeline && (await generateAll(pipeline, prompts, { ...settings, frames }, context));
    if (made) await sheet('generated.png', made.rows);
    const report: OwnReport = {
      format: 1,
      command: commandOf(settings, program),
      model: { directory: options.model, sha256: (await modelHash(directory)).sha256 },
      data: { directory: data, identity: stream.identity, ...source.report()! },
      frames,
      fps: decode.fps,
      settings: { seed, steps, guidanceScale, timeShift, device },
      reconstruction: all && { ...summarizeFidelity(all.byClip), byClip: all.byClip },
      ...(loss && { loss }),
      ...(made && { generated: made.clips }),
    };
    const text = formatOwnReport(report);
    await writeFile(path.join(out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
    await writeFile(path.join(out, 'report.txt'), `${text}\n`);
    return { report, text, files: [path.join(out, 'report.json'), path.join(out, 'report.txt'), ...files] };
  } finally {
    await pipeline?.close();
    await vae.close();
  }
}

type Pausing = Pick<Context, 'signal' | 'onProgress'>;
type Clips = { readonly stream: ClipStream; readonly count: number; readonly context: Pausing };

async function reconstructAll(vae: Vae, { stream, count, context }: Clips) {
  const byClip: Fidelity[] = [];
  const rows: SheetRow[] = [];
  for (let i = 0; i < count; i++) {
    await pause(context, { stage: 'through the VAE', done: i, total: count });
    const { pixels } = await stream.clip(i);
    const made = await decodeClip(vae, await encodeClip(vae, pixels));
    const like = fidelity(pixels, made);
    byClip.push(like);
    const caption = stream.caption(i);
    rows.push(
      { pixels, caption, verdict: 'real' },
      { pixels: made, caption: '', verdict: `${like.psnr.toFixed(1)} dB` },
    );
  }
  return { byClip, rows };
}

async function lossOf<Text>(
  pipeline: Pipeline<Text>,
  vae: Vae,
  { stream, count, context, seed, frames }: Clips & { seed: number; frames: number },
): Promise<OwnReport['loss']> {
  const shape = latentShape({ frames, ...CLIP_SIZE }, pipeline.latentChannels);
  const length = latentLength(shape);
  const sums = TIMES.map(() => 0);
  for (let i = 0; i < count; i++) {
    await pause(context, { stage: 'loss of held-out clips', done: i, total: count });
    const { pixels } = await stream.clip(i);
    const data = await encodeClip(vae, pixels);
    const noise = gaussian({ seed: seed + i, length });
    const text = await pipeline.encodeText([stream.caption(i)]);
    for (const [bin, t] of TIMES.entries()) {
      const { noised, velocity } = flowMatching({ data, noise, times: Float32Array.of(t) });
      const found = await pipeline.velocity({ latents: noised, batch: 1, shape, t, text });
      sums[bin]! += velocity.reduce((sum, v, k) => sum + (v - found[k]!) ** 2, 0) / length / count;
    }
  }
  const byTime = Object.fromEntries(TIMES.map((t, bin) => [t, sums[bin]!]));
  return { clips: count, mean: sums.reduce((a, b) => a + b, 0) / sums.length, byTime };
}

async function generateAll<Text>(
  pipeline: Pipeline<Text>,
  prompts: readonly string[],
  sampling: Settings,
  context: Pausing,
) {
  const requests = prompts.map((prompt, i) => ({ prompt, seed: sampling.seed + i }));
  const rows: SheetRow[] = [];
  const clips: { prompt: string; seed: number; seconds: number }[] = [];
  await pause(context, { stage: 'generated', done: 0, total: prompts.length });
  for await (const { pixels, seconds } of generateClips(pipeline, requests, { sampling, signal: context.signal })) {
    const request = requests[clips.length]!;
    clips.push({ ...request, seconds: seconds.text + seconds.denoise + seconds.decode });
    rows.push({ pixels, caption: request.prompt, verdict: `seed ${request.seed}` });
    await pause(context, { stage: 'generated', done: clips.length, total: prompts.length });
  }
  return { clips, rows };
}

function commandOf(settings: Settings, program: string): string {
  const { model, data, seed, steps, guidanceScale, timeShift, device, parts } = settings;
  const sampling = { steps, guidance: guidanceScale, 'time-shift': timeShift };
  const flags = { model, data, seed, ...(parts.includes('generated') ? sampling : {}), device };
  const words = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, shellWord(String(value))]);
  return [program, 'eval', ...words, ...(parts.length === 1 ? ['--only', parts[0]] : [])].join(' ');
}

function formatOwnReport({ model, data, frames, fps, reconstruction, loss, generated, command }: OwnReport): string {
  const { clips, heldOut, skipped, notes } = data;
  const lines = [
    `${model.directory} (sha256 ${model.sha256.slice(0, 16)})`,
    `${data.directory}: ${clips} clips, ${heldOut} of them held out, ${skipped.length} skipped; ${frames} frames at ${fps} a second`,
    ...notes,
  ];
  if (reconstruction) {
    const { psnr, ssim } = reconstruction;
    lines.push(
      `VAE reconstruction of ${reconstruction.clips} held-out clips: PSNR ${psnr.toFixed(2)} dB, SSIM ${ssim.toFixed(3)}`,
    );
  }
  if (loss) {
    const byTime = Object.entries(loss.byTime).map(([t, value]) => `${value.toFixed(3)} at ${t}`);
    lines.push(`denoising loss of ${loss.clips} held-out clips: ${loss.mean.toFixed(4)} (${byTime.join(', ')})`);
  }
  if (generated) {
    const seconds = generated.reduce((sum, clip) => sum + clip.seconds, 0) / generated.length;
    lines.push(`generated: ${generated.length} clips of the first captions, ${seconds.toFixed(1)} s each`);
  }
  return [...lines, command].join('\n');
}
