/** A whole evaluation of the tiny checkpoint on the drawn world: the report, determinism, refusals before work. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { type EvaluationOptions, runEvaluation } from '../../src/eval/run.ts';
import { commandLine, settle } from '../../src/eval/settings.ts';
import { PRESETS } from '../../src/presets.ts';
import { drawnWorld } from '../data/drawn-world.ts';
import { writeTinyModel } from './tiny-model.ts';
import { writeWorld } from './world-on-disk.ts';

let scratch: string;
let model: string;
const at = (name: string): string => path.join(scratch, name);
beforeAll(async () => {
  scratch = mkdtempSync(path.join(tmpdir(), 'eval-'));
  writeWorld(at('data'), drawnWorld());
  model = at('model');
  await writeTinyModel(model);
});
afterAll(() => rmSync(scratch, { recursive: true }));

const small = (out: string, more: Partial<EvaluationOptions> = {}): EvaluationOptions => ({
  model,
  data: at('data'),
  triples: 2,
  sets: ['main'],
  frames: 17,
  seed: 3,
  steps: 2,
  out: at(out),
  threads: 1,
  ...more,
});

describe('a whole evaluation', () => {
  it('reports every part, writes what it says, and prints the commands', async () => {
    const { report, text, files } = await runEvaluation(small('whole', { bars: { seam: 1000 } }));
    expect(JSON.parse(readFileSync(at('whole/report.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(report)));
    expect(readFileSync(at('whole/report.txt'), 'utf8')).toBe(`${text}\n`);
    expect(files.map((file) => path.basename(file))).toEqual([
      ...['report.json', 'report.html', 'report.txt'],
      ...['main-en', 'main-zh'].map((set) => `generated-${set}.png`),
      'reconstructions.png',
    ]);
    for (const file of files) expect(existsSync(file)).toBe(true);

    const { ceiling, generated, vaeCeiling, reconstruction, speed } = report;
    expect(ceiling.main).toMatchObject({ clips: 2, subject: 1, background: 1, motion: 1, all: 1, count: 1 });
    expect(Object.keys(ceiling)).toEqual(['main']);
    for (const scores of [generated[0]!.scores, generated[1]!.scores, vaeCeiling!]) {
      expect(scores.clips).toBe(2);
      for (const part of ['subject', 'background', 'motion', 'all'] as const)
        expect([0, 0.5, 1]).toContain(scores[part]);
      expect(Object.keys(scores.by.motion)).toEqual(Object.keys(ceiling.main!.by.motion));
    }
    expect(generated.map(({ floor }) => floor.clips)).toEqual([2, 2]);
    for (const { psnr, ssim } of [reconstruction!.trained, reconstruction!.unseen!]) {
      expect(psnr).toBeGreaterThan(0);
      expect(psnr).toBeLessThan(30); // nobody trained it
      expect(Math.abs(ssim)).toBeLessThan(1);
    }
    expect(reconstruction?.seam.clips).toBe(2);
    expect(speed.secondsPerClip!.total).toBeGreaterThan(0);
    expect(speed.video!.seconds).toBeGreaterThan(speed.video!.denoise);
    expect(speed.video!.firstPreview ?? 0).toBeLessThan(speed.video!.seconds);
    expect(existsSync(at(`whole/timed.${speed.video!.format}`))).toBe(false);
    expect(speed.peakMemoryBytes).toBeGreaterThan(5e7);
    expect(generated[0]!.clips.map(({ seed }) => seed)).toEqual([3, 4]);
    expect(generated[0]!.clips[0]!.prompt).toMatch(/^an? .* on an? .* background$/);
    expect(generated[1]!.clips[0]!.prompt).toMatch(/背景/);
    expect(report.model.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(report.command).toMatch(
      /^step-video eval --model .* --triples 2 --frames 17 --seed 3 --steps 2 --guidance 9 --time-shift 13 --sets main --device cpu$/,
    );
    for (const line of [report.command, report.commands.generated, report.commands.reconstruction])
      expect(text).toContain(line);
    expect(text).toMatch(/^real clips, held-out triples +2 +1\.00 +1\.00 +1\.00 +1\.00/m);
    expect(text).toMatch(/^trained subjects, held-out triples +2 +\d+\.\d\d +-?\d\.\d{3}/m);

    const bars = Object.fromEntries(report.bars.map((bar) => [bar.id, bar]));
    expect(bars.seam).toMatchObject({ bar: 1000, met: true });
    expect(bars.psnr).toMatchObject({ bar: 29, met: false, value: reconstruction!.trained.psnr });
    expect(bars.paraphrased!.met).toBeUndefined();
    expect(text).toMatch(/^VAE, trained subjects in held-out combinations, SSIM .* missed$/m);
  });

  it('makes one HTML file that asks for nothing else', () => {
    const html = readFileSync(at('whole/report.html'), 'utf8');
    const report = JSON.parse(readFileSync(at('whole/report.json'), 'utf8'));
    expect(html.match(/<img src="data:image\/webp;base64,[A-Za-z0-9+/=]+"/g)).toHaveLength(4);
    expect(html).not.toMatch(/(src|href)="(?!data:)/);
    expect(html).not.toContain('<script');
    expect(html).toContain(report.model.sha256);
    expect(html).toContain('class="missed"');
    expect(html).toContain(report.generated[1].clips[0].prompt);
    for (const tag of ['table', 'section', 'figure', 'dl'])
      expect(html.split(`<${tag}`).length).toBe(html.split(`</${tag}>`).length);
  });

  it('gives the same scores for the same seed, and asks only for what the model was trained on', async () => {
    cpSync(model, at('narrow'), { recursive: true });
    const record = {
      ...{ subjects: ['box', 'hook', 'pole'], backgrounds: ['red', 'blue', 'white'] },
      motions: ['left', 'right', 'up', 'spin', 'grow'],
    };
    writeFileSync(at('narrow/training.json'), JSON.stringify({ format: 1, ...record, frames: [1, 17], fps: 12 }));
    // Neither length nor sets are told: the record has one length, and knows neither sceneries nor pairs.
    const options: Partial<EvaluationOptions> = {
      ...{ model: at('narrow'), only: 'generated', languages: ['en'], frames: undefined, sets: undefined },
    };
    const first = await runEvaluation(small('a', options));
    const again = await runEvaluation(small('b', options));
    const { speed: _, date: __, ...found } = first.report;
    expect(again.report).toMatchObject(found);
    expect(first.report.settings.frames).toBe(17);
    expect(first.report.model.trained).toMatchObject(record);
    expect(Object.keys(first.report.ceiling)).toEqual(['main']);
    for (const { asked, reading } of first.report.generated.flatMap(({ clips }) => clips)) {
      for (const { subject, motion } of [asked, reading] as { subject: string; motion: string }[]) {
        expect(record.subjects).toContain(subject);
        expect(record.motions).toContain(motion);
      }
      expect(record.backgrounds).toContain(asked.background);
    }
    expect(first.report.reconstruction).toBeUndefined();
    expect(first.report.command).toMatch(/--device cpu --no-zh --only generated$/);
    expect(existsSync(at('a/reconstructions.png'))).toBe(false);
  });
});

describe('refused before any work', () => {
  const refused: [string, (options: EvaluationOptions) => void, RegExp, string][] = [
    ['no triples', (o) => Object.assign(o, { triples: 0 }), /triples must be .* at least 2, got 0/, 'input'],
    ['more triples than there are', (o) => Object.assign(o, { triples: 5000 }), /from 2 to \d+, .* got 5000/, 'input'],
    ['frames that are no chunks', (o) => Object.assign(o, { frames: 20 }), /frames must be a multiple of 17/, 'input'],
    ['an unknown set', (o) => Object.assign(o, { sets: ['best'] }), /sets must be some of main/, 'input'],
    ['no steps', (o) => Object.assign(o, { steps: 0 }), /steps must be .* got 0/, 'input'],
    ['guidance that is no number', (o) => Object.assign(o, { guidanceScale: Number.NaN }), /guidanceScale/, 'input'],
    ['no language', (o) => Object.assign(o, { languages: [] }), /languages must be/, 'input'],
    ['an unknown device', (o) => Object.assign(o, { device: 'abacus' }), /device must be one of/, 'input'],
    ['a model that is not there', (o) => Object.assign(o, { model: at('none') }), /model must be/, 'input'],
    ['data that is not there', (o) => Object.assign(o, { data: at('none') }), /training data must be built/, 'data'],
    ['an output below a file', (o) => Object.assign(o, { out: at('data/world.json/x') }), /directory/, 'input'],
    [
      'damaged data',
      (o) => {
        cpSync(at('data'), at('damaged'), { recursive: true });
        writeFileSync(at('damaged/sprites/box.bin'), new Uint8Array(64 * 64 * 4));
        o.data = at('damaged');
      },
      /box\.bin must have sha256/,
      'data',
    ],
    [
      'a model without tokenizer',
      (o) => {
        cpSync(model, at('mute'), { recursive: true });
        rmSync(at('mute/step_llm/step1_chat_tokenizer.model'));
        o.model = at('mute');
      },
      /step1_chat_tokenizer\.model/,
      'checkpoint',
    ],
  ];
  it.each(refused)('%s', async (_, spoil, message, kind) => {
    const options = small('never');
    spoil(options);
    const evaluation = runEvaluation(options);
    await expect(evaluation).rejects.toThrow(message);
    await expect(evaluation).rejects.toMatchObject({ kind });
    expect(existsSync(at('never'))).toBe(false);
  });
});

describe('step-video eval', () => {
  /** Runs the command; it is stopped as soon as it notes a line that holds `until`. */
  async function cli(argv: readonly string[], until?: string): Promise<{ code: number; out: string; err: string }> {
    const out: string[] = [];
    const err: string[] = [];
    const stop = new AbortController();
    const code = await run(['eval', ...argv], {
      print: (line) => out.push(line),
      note(line) {
        err.push(line);
        if (until !== undefined && line.includes(until)) stop.abort();
      },
      terminal: undefined,
      signal: stop.signal,
      program: 'npm start --',
    });
    return { code, out: out.join('\n'), err: err.join('\n') };
  }

  it('measures the VAE of a directory that holds nothing else, and stops between clips', async () => {
    cpSync(path.join(model, 'vae'), at('vae-only/vae'), { recursive: true });
    const flags = ['--data', at('data'), '--triples', '2', '--frames', '17', '--out', at('cli')];
    const argv = ['--model', at('vae-only'), '--only', 'reconstruction', ...flags];
    const { code, out, err } = await cli(argv, 'through the VAE: 50 %');
    expect(err).toContain('stopped at through the VAE, clip 1 of 2');
    expect(code).toBe(130);
    expect(out).toBe('');
    expect(existsSync(at('cli/report.json'))).toBe(false);
  });

  it('repeats a part by a command that holds what the part depends on', () => {
    const choices = {
      model: 'my model',
      data: 'd',
      triples: 9,
      sets: ['main', 'pairs'] as const,
      languages: ['zh'] as const,
    };
    const settings = settle({ ...choices, plainPrompts: true }, PRESETS.mini);
    const all =
      "eval --model 'my model' --data d --triples 9 --frames 34 --seed 0 --steps 24 --guidance 2 --time-shift 1";
    expect(commandLine(settings, 'x')).toBe(`x ${all} --sets main,pairs --device cpu --no-en --plain-prompts`);
    expect(commandLine(settings, 'x', 'generated')).toMatch(/--sets main,pairs --device cpu --no-en --only generated$/);
    expect(commandLine(settings, 'x', 'reconstruction')).toBe(
      "x eval --model 'my model' --data d --triples 9 --frames 34 --seed 0 --device cpu --no-en --only reconstruction",
    );
  });

  it.each([
    [['--triples', 'many'], 'eval: --triples must be a number, got many'],
    [['--only', 'sound'], 'eval: --only must be one of speed, generated, reconstruction, plain-prompts, got sound'],
    [['--steps', '0'], '--steps must be a whole number'],
    [['checkpoints/x'], 'eval: takes flags only, got checkpoints/x (try --model checkpoints/x)'],
    [['--sets', 'main,worst'], 'eval: sets must be some of main, paraphrased, sceneries, pairs, got main,worst'],
    [['--bars', 'none.json'], 'eval: bars must be a readable JSON file'],
    [['--no-fr'], 'eval: unknown flag --no-fr'],
  ])('%j is refused', async (argv, message) => {
    const { code, err } = await cli(argv);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });
});
