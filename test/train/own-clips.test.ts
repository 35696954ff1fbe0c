/** Both stages and an evaluation on a directory of clips that the test makes, with bad files among them. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run as cli } from '../../src/cli/run.ts';
import { presetOf } from '../../src/presets.ts';
import { readTrainingConfig } from '../../src/train/config.ts';
import { runTraining } from '../../src/train/run.ts';
import { writeOwnClips, writePng } from '../data/own-clips.ts';
import { ditConfig, vaeConfig } from './tiny-runs.ts';

const root = mkdtempSync(path.join(tmpdir(), 'own-runs-'));
const at = (...parts: string[]): string => path.join(root, ...parts);
afterAll(() => rmSync(root, { recursive: true }));

/** At 15 frames a second, which is not the usual rate. */
const own = () => ({ data: at('clips'), decode: { fps: 15, cache: at('decoded') }, sampleSteps: undefined });
const vae = (change: object = {}) => ({ ...vaeConfig(root), ...own(), ...change });
const dit = (change: object = {}) => ({
  ...ditConfig(root),
  ...own(),
  buckets: [
    { frames: 17, batch: 2, clips: 4 },
    { frames: 1, batch: 2, clips: 5 },
  ],
  ...change,
});

async function run(config: object, lines: string[] = []): Promise<string> {
  const configPath = at('config.json');
  writeFileSync(configPath, JSON.stringify(config));
  return runTraining({ configPath, show: (line) => lines.push(line) });
}

const recordsOf = (name: string): Record<string, unknown>[] =>
  readFileSync(at('runs', name, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

const skippedOf = (data: Record<string, unknown>): string[] =>
  (data['skipped'] as { name: string }[]).map(({ name }) => name);

const stateOf = (name: string): Buffer => readFileSync(at('runs', name, 'state.safetensors'));

const shown: { vae: string[]; dit: string[] } = { vae: [], dit: [] };
beforeAll(async () => {
  await writeOwnClips(at('clips'));
  writeFileSync(at('clips', 'broken.mp4'), 'no video');
  writeFileSync(at('clips', 'broken.txt'), 'a video that is none');
  cpSync(at('clips', 'four.webp'), at('clips', 'latin.webp'));
  writeFileSync(at('clips', 'latin.txt'), Buffer.from('a caf\xe9', 'latin1'));
  writeFileSync(at('clips', 'lonely.txt'), 'nothing');
  await run(vae(), shown.vae);
  await run(dit({ sampleSteps: 100 }), shown.dit);
});

describe('a run on own clips', () => {
  it('goes on without what is bad, which its log and its metrics name', () => {
    const text = shown.vae.join('\n');
    expect(text).toMatch(/^data: 9 clips, \d of them held out, 2 skipped$/m);
    expect(text).toMatch(/^ {2}skipped broken\.mp4: the file must be a whole video or picture, got /m);
    expect(text).toContain('skipped lonely.txt: there is no clip beside this caption');
    const data = recordsOf('vae').find(({ kind }) => kind === 'data')!;
    expect(data).toMatchObject({ step: 0, clips: 9, notes: [] });
    expect(skippedOf(data)).toEqual(['lonely.txt', 'broken.mp4']);
    expect(recordsOf('vae').filter(({ kind }) => kind === 'step')).toHaveLength(2);
    expect(Object.keys(recordsOf('vae').find(({ kind }) => kind === 'validation')!)).not.toContain('unseen');
  });

  it('of a denoiser needs captions, and builds its words of them', () => {
    expect(shown.dit.join('\n')).toMatch(/^ {2}skipped latin\.webp: latin\.txt must be UTF-8 text$/m);
    const data = recordsOf('dit').find(({ kind }) => kind === 'data')!;
    expect(data).toMatchObject({ clips: 8 });
    expect(skippedOf(data)).toEqual(['lonely.txt', 'latin.webp', 'broken.mp4', 'eight.png, in clips of 17']);
    const words = readFileSync(at('runs', 'dit', 'last', 'hunyuan_clip', 'tokenizer', 'vocab.txt'), 'utf8').split('\n');
    for (const word of ['yellow', 'square', '黄', '绿']) expect(words).toContain(word);
    expect(words).not.toContain('panda');
    expect(presetOf(at('runs', 'dit', 'last')).fps).toBe(15);
    expect(existsSync(at('runs', 'dit', 'samples', 'step-000002.png'))).toBe(true);
  });

  it('refuses a state of other networks, naming the first weight that differs, and leaves it alone', async () => {
    const before = stateOf('dit');
    const { model } = ditConfig(root);
    const wider = { ...model, transformer: { ...model.transformer, num_layers: 3 } };
    await expect(run(dit({ steps: 4, model: wider }))).rejects.toMatchObject({
      kind: 'checkpoint',
      message: expect.stringMatching(
        /resume .*state\.safetensors: weight:transformer\.transformer_blocks\.2\.\S+ must be \[.*\], got nothing/,
      ),
    });
    expect(stateOf('dit').equals(before)).toBe(true);
  });

  it('takes latents of these very clips only, whatever their captions say', async () => {
    const folder = at('changed');
    cpSync(at('clips'), folder, { recursive: true, preserveTimestamps: true });
    writeFileSync(path.join(folder, 'seven.txt'), 'a zebra on a wide ground');
    const lines: string[] = [];
    const buckets = [{ frames: 1, batch: 2, clips: 5 }];
    const next = { buckets, data: folder, start: at('runs', 'dit', 'last'), model: undefined };
    await run(dit({ ...next, name: 'renamed' }), lines);
    expect(lines.join('\n')).toMatch(
      /^1 words of the captions are not in the vocabularies of .*last, which at most spell them: zebra$/m,
    );
    await writePng(path.join(folder, 'eight.png'), { width: 50, height: 30 }, [9, 9, 9]);
    const other = run(dit({ ...next, name: 'changed' }));
    await expect(other).rejects.toMatchObject({ kind: 'data' });
    await expect(other).rejects.toThrow(
      /latents .*clips-1-seed0-0000\.safetensors: must be of these clips, as they are/,
    );
  });

  it('keeps a state when the disk refuses the clips', async () => {
    const before = stateOf('vae');
    const blocked = { fps: 15, cache: at('clips', 'one.txt', 'cache') };
    await expect(run(vae({ steps: 4, decode: blocked }))).rejects.toMatchObject({ kind: 'environment' });
    expect(stateOf('vae').equals(before)).toBe(true);
  });

  it.each<[string, object, RegExp]>([
    ['an unknown field of decode', { decode: { frames: 3 } }, /decode: .*"frames"/],
    ['neither sizes nor a start', { model: undefined }, /model or start must be given/],
    [
      'scenes of emoji world',
      { buckets: [{ frames: 1, batch: 1, clips: 1, scenes: { inside: true } }] },
      /scenes is for emoji world/,
    ],
    ['a folder without clips', { data: at('runs', 'vae') }, /some clip must have a caption|there must be a clip/],
  ])('is refused for %s', async (_, change, message) => {
    await expect(run(dit({ name: 'refused', ...change }))).rejects.toThrow(message);
  });
});

describe('step-video eval', () => {
  async function evaluate(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
    const out: string[] = [];
    const err: string[] = [];
    const code = await cli(['eval', '--data', at('few'), ...argv], {
      print: (line) => out.push(line),
      note: (line) => err.push(line),
      terminal: undefined,
      signal: new AbortController().signal,
      program: 'step-video',
    });
    return { code, out: out.join('\n'), err: err.join('\n') };
  }

  it('measures reconstruction and loss of held-out clips, and shows clips of the first captions', async () => {
    process.chdir(root); // where decoded clips are kept by default
    mkdirSync(at('few'));
    for (const name of ['one.mp4', 'one.txt', 'four.webp', 'four.txt', 'broken.mp4', 'broken.txt', 'latin.webp'])
      cpSync(at('clips', name), at('few', name));
    const model = at('runs', 'dit', 'last');
    const { code, out, err } = await evaluate('--model', model, '--steps', '1', '--out', at('scores'));
    expect(`${code} ${err}`).toMatch(/^0 /);
    expect(out).toMatch(/2 clips, 1 of them held out, 2 skipped; 17 frames at 15 a second/);
    expect(out).toMatch(/^VAE reconstruction of 1 held-out clips: PSNR \d+\.\d\d dB, SSIM -?\d\.\d{3}$/m);
    const report = JSON.parse(readFileSync(at('scores', 'report.json'), 'utf8'));
    expect(Object.keys(report.loss.byTime)).toEqual(['0.1', '0.3', '0.5', '0.7', '0.9']);
    expect(report.loss.mean).toBeGreaterThan(0.1);
    expect(report.generated).toHaveLength(3); // two of one.txt, none of broken.txt
    expect(report.data.skipped.map(({ name }: { name: string }) => name)).toContain('broken.mp4');
    for (const name of ['generated.png', 'reconstructions.png', 'report.txt'])
      expect(existsSync(at('scores', name))).toBe(true);

    const vaeOnly = ['--only', 'reconstruction', '--out', at('alone')];
    const alone = await evaluate('--model', at('runs', 'vae', 'last'), ...vaeOnly);
    expect(alone.out).toMatch(/3 clips.*17 frames at 12 a second/);
    expect(alone.out).not.toContain('loss');
  });

  it('refuses what is about emoji world', async () => {
    expect(await evaluate('--model', at('runs', 'dit', 'last'), '--triples', '4')).toMatchObject({
      code: 2,
      err: expect.stringContaining('triples and languages are about emoji world'),
    });
  });
});

it('the configs that the documentation shows are valid', async () => {
  const folder = fileURLToPath(new URL('../../examples/own-clips', import.meta.url));
  process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
  const denoiser = await readTrainingConfig(path.join(folder, 'denoiser.json'));
  expect(denoiser).toMatchObject({ stage: 'dit', model: { clipTokens: 64, transformer: { num_layers: 5 } } });
  const decoder = await readTrainingConfig(path.join(folder, 'vae.json'));
  expect(decoder).toMatchObject({ stage: 'vae', model: { z_channels: 48 } });
  if (decoder.stage === 'vae') expect(decoder.model).not.toHaveProperty('latents_mean');
});
