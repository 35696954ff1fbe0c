/** Previews: the fit finds the map that made its examples; a map belongs to one encoder and travels with the model. */
import { cpSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { gaussian } from '../../src/diffusion/noise.ts';
import { loadVae } from '../../src/vae/load.ts';
import {
  type LinearMap,
  loadPreviews,
  PREVIEW_OUTPUTS,
  type PreviewMaps,
  type Previews,
  previewPicture,
  savePreviews,
} from '../../src/vae/preview.ts';
import { previewFitter } from '../../src/vae/preview-fit.ts';
import { quantizeCheckpoint } from '../../src/weights/quantize-checkpoint.ts';
import { openSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import { golden, temporaryFolder } from '../weights/temporary.ts';

const [HEIGHT, WIDTH, CHANNELS] = [3, 4, 5];
const PLANE = HEIGHT * WIDTH;

/** Weights small enough that colours stay in range. */
const madeUp = (seed: number, channels: number): LinearMap => ({
  weight: gaussian({ seed, length: PREVIEW_OUTPUTS * channels }).map((x) => x / 25),
  bias: gaussian({ seed: seed + 1, length: PREVIEW_OUTPUTS }).map((x) => x / 10),
});

/** Latents [3, z, h, w], and the 17 frames that `maps` makes of them; frames that share a latent differ around their mean. */
function exampleOf(maps: PreviewMaps, seed: number) {
  const latents = gaussian({ seed, length: 3 * CHANNELS * PLANE });
  const pixels = new Uint8Array(17 * PLANE * 256 * 3);
  for (let t = 0; t < 17; t++) {
    const frame = Math.ceil(t / 8);
    const own = latents.subarray(frame * CHANNELS * PLANE, (frame + 1) * CHANNELS * PLANE);
    const small = previewPicture(own, { map: t === 0 ? maps.first : maps.later, height: HEIGHT, width: WIDTH });
    const wobble = t === 0 ? 0 : t % 2 === 0 ? 9 : -9;
    for (let y = 0; y < 16 * HEIGHT; y++)
      for (let x = 0; x < 16 * WIDTH; x++)
        for (let c = 0; c < 3; c++)
          pixels[((t * 16 * HEIGHT + y) * 16 * WIDTH + x) * 3 + c] =
            small[((y >> 3) * 2 * WIDTH + (x >> 3)) * 3 + c]! + wobble;
  }
  return { latents, pixels, height: HEIGHT, width: WIDTH };
}

describe('the fit', () => {
  const truth: PreviewMaps = { first: madeUp(1, CHANNELS), later: madeUp(3, CHANNELS) };
  const fitted = (silent?: number): PreviewMaps => {
    const fitter = previewFitter(CHANNELS);
    for (let seed = 10; seed < 30; seed++) {
      const example = exampleOf(truth, seed);
      if (silent !== undefined)
        for (let i = 0; i < example.latents.length; i++)
          if (Math.floor(i / PLANE) % CHANNELS === silent) example.latents[i] = 0;
      fitter.add(example);
    }
    return fitter.maps();
  };

  it('recovers either map, from frames that it averages', () => {
    const maps = fitted();
    for (const name of ['first', 'later'] as const) {
      for (const part of ['weight', 'bias'] as const)
        maps[name][part].forEach((value, i) => void expect(value).toBeCloseTo(truth[name][part][i]!, 2));
      expect(Math.hypot(...truth[name].weight)).toBeGreaterThan(0.25);
    }
  });

  it('is the same to the bit again, and gives no weight to a channel that is always 0', () => {
    const maps = fitted(2);
    expect(fitted(2)).toEqual(maps);
    maps.later.weight.forEach((value, i) => void expect(i % CHANNELS === 2 ? value : 0).toBe(0));
    expect(maps.later.bias.every(Number.isFinite)).toBe(true);
  });

  it('refuses no examples, and pixels of another size', () => {
    expect(() => previewFitter(2).maps()).toThrow('preview: there must be at least one clip, got 0');
    const example = exampleOf(truth, 5);
    expect(() => previewFitter(CHANNELS).add({ ...example, height: 2 })).toThrow(
      /must hold 17 frames of 2 x 4 latents/,
    );
  });
});

it('puts a place into 2x2 pixels, rows before columns, and clamps', () => {
  const weight = new Float32Array(PREVIEW_OUTPUTS);
  const bias = new Float32Array(PREVIEW_OUTPUTS).fill(-1);
  weight[2 * 3 + 1] = 1; // green of the lower left pixel
  bias[1 * 3] = 5; // red of the upper right pixel
  const rgb = previewPicture(Float32Array.of(0, 1, 2, 9), { map: { weight, bias }, height: 1, width: 4 });
  const at = (x: number, y: number): number[] => [...rgb.subarray((y * 8 + x) * 3, (y * 8 + x) * 3 + 3)];
  expect([at(0, 0), at(1, 0), at(0, 1), at(2, 1), at(4, 1), at(6, 1)]).toEqual([
    [0, 0, 0],
    [255, 0, 0],
    [0, 0, 0],
    [0, 128, 0],
    [0, 255, 0],
    [0, 255, 0],
  ]);
});

describe('a model directory', () => {
  const folder = temporaryFolder();
  const model = path.join(folder, 'model');
  const file = path.join(model, 'vae', 'preview.safetensors');
  let channels: number;
  let maps: PreviewMaps;
  const maker = (previews: Previews) => {
    if ('missing' in previews) throw new Error(previews.missing);
    return previews.pictures;
  };
  const missing = (previews: Previews): string => ('missing' in previews ? previews.missing : 'nothing is missing');

  beforeAll(async () => {
    cpSync(golden('checkpoint'), model, { recursive: true });
    const vae = await loadVae(model, { device: 'cpu', threads: 1 });
    channels = vae.config.z_channels;
    await vae.close();
    maps = { first: madeUp(5, channels), later: madeUp(7, channels) };
  });

  it('without a map says so in one sentence', async () => {
    expect(missing(await loadPreviews(model))).toBe(
      `no previews: ${model} has no map from latents to RGB (try step-video preview-fit ${model})`,
    );
  });

  it('with one makes a picture a latent frame, each with its place in time', async () => {
    expect(await savePreviews(model, maps, { clips: 3 })).toBe(file);
    const latents = gaussian({ seed: 9, length: 6 * channels * PLANE });
    const shape = { frames: 6, channels, height: HEIGHT, width: WIDTH };
    const small = maker(await loadPreviews(model))(latents, shape);
    expect(small).toMatchObject({ width: 8, height: 6, times: [0, 4.5, 12.5, 17, 21.5, 29.5] });
    small.pictures.forEach((picture, f) => {
      const map = f % 3 === 0 ? maps.first : maps.later;
      const own = latents.subarray(f * channels * PLANE, (f + 1) * channels * PLANE);
      expect(picture).toEqual(previewPicture(own, { map, height: HEIGHT, width: WIDTH }));
    });
    const { metadata } = await openSafetensors(file);
    expect(metadata).toMatchObject({ format: 'step-video preview 1', clips: '3', vae: /^[0-9a-f]{64}$/ });
  });

  it('is whole to inspect, and quantized with its map', async () => {
    const out: string[] = [];
    const world = { print: (line: string) => void out.push(line), note() {} } as unknown as Parameters<typeof run>[1];
    expect(await run(['inspect', model, '--json'], world)).toBe(0);
    expect(out.join()).toContain('later.weight');
    const smaller = path.join(folder, 'int8');
    expect((await quantizeCheckpoint(model, { to: 'int8', out: smaller })).linked).toContain('vae/preview.safetensors');
    expect('pictures' in (await loadPreviews(smaller))).toBe(true);
  });

  it('shows normalised latents as it shows those that they were made of', async () => {
    const normalised = path.join(folder, 'normalised');
    cpSync(model, normalised, { recursive: true });
    const vae = await loadVae(model, { device: 'cpu', threads: 1 });
    const mean = Array.from({ length: channels }, (_, c) => c - 1);
    const std = Array.from({ length: channels }, (_, c) => 1 + c / 2);
    const config = { ...vae.config, latents_mean: mean, latents_std: std };
    await vae.close();
    writeFileSync(path.join(normalised, 'vae', 'config.json'), JSON.stringify(config));
    const latents = gaussian({ seed: 4, length: channels * PLANE });
    const shape = { frames: 1, channels, height: HEIGHT, width: WIDTH };
    const own = latents.map((x, i) => x * std[Math.floor(i / PLANE)]! + mean[Math.floor(i / PLANE)]!);
    const [shown] = maker(await loadPreviews(normalised))(latents, shape).pictures;
    const [wanted] = maker(await loadPreviews(model))(own, shape).pictures;
    expect(shown).toEqual(wanted);
  });

  it('keeps its map where the decoder is trained on, not where the encoder is', async () => {
    const trained = path.join(folder, 'trained');
    cpSync(model, trained, { recursive: true });
    await change(path.join(trained, 'vae', 'vae_v2.safetensors'), 'decoder.');
    expect('pictures' in (await loadPreviews(trained))).toBe(true);
    await change(path.join(trained, 'vae', 'vae_v2.safetensors'), 'encoder.');
    expect(missing(await loadPreviews(trained))).toMatch(
      /^no previews: .*preview\.safetensors was fitted for another VAE/,
    );
  });

  it('says what is wrong with a map that cannot be read', async () => {
    truncateSync(file, 900);
    expect(missing(await loadPreviews(model))).toMatch(/^no previews: safetensors .*preview\.safetensors: /);
    await savePreviews(model, { first: madeUp(1, channels + 1), later: madeUp(1, channels) }, { clips: 1 });
    expect(missing(await loadPreviews(model))).toMatch(/first\.weight must be \[12, /);
  });
});

/** Rewrites the first tensor of a weight file whose name begins with `prefix`. */
async function change(file: string, prefix: string): Promise<void> {
  const source = await openSafetensors(file);
  const first = [...source.tensors.keys()].sort().find((name) => name.startsWith(prefix));
  const tensors = await Promise.all(
    [...source.tensors.values()].map(async (entry) => {
      const data = await source.readFloat32(entry);
      if (entry.name === first) data[0]! += 1;
      return { name: entry.name, dtype: entry.dtype, shape: [...entry.shape], data };
    }),
  );
  await source.close();
  await writeSafetensors(file, tensors);
}
