/** `--preview` and `preview-fit` as whole command lines, on tiny models. */
import { cpSync, existsSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { writeTinyModel } from '../eval/tiny-model.ts';
import { writeWorld } from '../train/tiny-runs.ts';
import { temporaryFolder } from '../weights/temporary.ts';

const folder = temporaryFolder();
const at = (name: string): string => path.join(folder, name);

async function cli(...argv: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const [out, err]: [string[], string[]] = [[], []];
  const world = {
    print: (line: string) => void out.push(line),
    note: (line: string) => void err.push(line),
    terminal: undefined,
    signal: new AbortController().signal,
    program: 'step-video',
  };
  return { code: await run(argv, world), out, err };
}

const generation = (name: string, ...more: string[]): string[] =>
  `--size 32x32 --frames 17 --steps 3 --out ${at(`${name}.webp`)}`.split(' ').concat('a disk', '--model', ...more);

beforeAll(async () => {
  await writeTinyModel(at('model'));
  writeWorld(at('world'));
});

describe('a model without a map', () => {
  it('makes its video and says in one sentence why there is no preview', async () => {
    const { code, err } = await cli(...generation('a', at('model'), '--preview', at('p.webp')));
    expect(code).toBe(0);
    expect(err.filter((line) => line.includes('preview'))).toEqual([
      `no previews: ${at('model')} has no map from latents to RGB (try step-video preview-fit ${at('model')})`,
    ]);
    expect([existsSync(at('a.webp')), existsSync(at('p.webp'))]).toEqual([true, false]);
  });

  it('is given one by preview-fit, which says how close it comes', async () => {
    cpSync(at('model'), at('fitted'), { recursive: true });
    const { code, out, err } = await cli('preview-fit', at('fitted'), '--data', at('world'), '--clips', '1');
    expect([code, out]).toEqual([0, [path.join(at('fitted'), 'vae', 'preview.safetensors')]]);
    expect(err.join()).toMatch(/^\d+\.\d dB on the first frames of chunks, \d+\.\d dB on the others: 1 held-out clips/);
    const made = await cli(...generation('b', at('fitted'), '--preview', at('q.webp')));
    expect(made.err.filter((line) => line.startsWith('preview'))).toEqual(
      [1, 2, 3].map((step) => `preview after step ${step} in ${at('q.webp')}`),
    );
    const { width, pages } = await sharp(at('q.webp'), { animated: true }).metadata();
    expect([width, pages]).toEqual([32, 5]);
    const json = await cli(...generation('c', at('fitted'), '--json'));
    const events = json.out.map((line) => JSON.parse(line));
    const shown = events.filter(({ type }) => type === 'preview');
    expect(shown).toHaveLength(3);
    expect(shown[0]).toEqual({ type: 'preview', step: 1, steps: 3, width: 4, height: 4, times: [0, 4.5, 12.5] });
  });
});

it.each([
  [['a fox', '--preview', 'p.avi'], 'generate: --preview must be a path that ends in .webp or .gif, got p.avi'],
  [['a fox', '--preview'], 'generate: --preview needs a value: FILE'],
  [['preview-fit'], 'preview-fit: one model must be given'],
  [['preview-fit', 'mini', '--clips', '0'], 'preview-fit: --clips must be a whole number of at least 1, got 0'],
])('%j is bad input', async (argv, message) => {
  expect(await cli(...argv)).toEqual({ code: 2, out: [], err: [message] });
});
