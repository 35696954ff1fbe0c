/** Whole command lines in memory: dispatch, help, exit codes, JSON errors. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { World } from '../../src/cli/command.ts';
import { run } from '../../src/cli/run.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'cli-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const checkpoint = fileURLToPath(new URL('../golden/parity/checkpoint', import.meta.url));

type Outcome = { code: number; out: string; err: string };

async function cli(...argv: string[]): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const world: World = {
    print: (line) => out.push(line),
    note: (line) => err.push(line),
    terminal: undefined,
    signal: new AbortController().signal,
    program: 'step-video',
  };
  const code = await run(argv, world);
  return { code, out: out.join('\n'), err: err.join('\n') };
}

describe('help', () => {
  it.each([[[]], [['help']], [['--help']], [['-h']]])('%j names every command', async (argv) => {
    const { code, out } = await cli(...argv);
    expect(code).toBe(0);
    for (const word of ['generate', 'decode', 'inspect', '--guidance X', '--json', 'exit code'])
      expect(out).toContain(word);
  });

  it.each(['generate', 'decode', 'inspect'])('%s has its own, by flag and by topic', async (name) => {
    const { out } = await cli('help', name);
    expect(out).toMatch(new RegExp(`^step-video ${name} `));
    expect((await cli(name, '--help')).out).toBe(out);
  });

  it('about an unknown topic names the nearest command', async () => {
    expect(await cli('help', 'decde')).toMatchObject({ code: 2, err: expect.stringContaining('(try decode)') });
  });
});

describe('bad input is exit code 2 and one line', () => {
  it.each([
    [['a fox', '--stpes', '3'], 'generate: unknown flag --stpes (try --steps)'],
    [['a fox', '--steps', '0'], 'generate: --steps must be a whole number from 1 to 1000, got 0'],
    [['--steps', '3'], 'generate: prompt must be given'],
    [[''], 'generate: prompt must not be empty'],
    [['x'.repeat(100_000)], 'generate: prompt must have at most 4000 characters, got 100000 characters'],
    [['a fox', '--format', 'avi'], 'generate: --format must be one of mp4, webm, gif, webp, png, got avi'],
    [['decdoe', 'x.safetensors'], 'step-video: must be a command: generate, decode, inspect, plan'],
    [['decode'], 'decode: one file of latents must be given'],
    [['decode', 'a', 'b'], 'decode: one file of latents must be given, got a b'],
    [['decode', 'a', '--steps', '3'], 'decode: unknown flag --steps'],
    [['inspect', '/nowhere/at/all'], 'inspect /nowhere/at/all: the path must exist'],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await cli(...argv);
    expect(err).toContain(message);
    expect([code, out, err.includes('\n')]).toEqual([2, '', false]);
  });

  it('a model that is not there', async () => {
    const { code, err } = await cli('a fox', '--model', path.join(scratch, 'none'));
    expect(err).toContain('generate: model must be a checkpoint directory or a shipped model');
    expect(code).toBe(2);
  });

  it('with --json the error is data', async () => {
    const { code, out, err } = await cli('a fox', '--frames', '20', '--json');
    expect([code, err]).toEqual([2, '']);
    expect(JSON.parse(out)).toMatchObject({ type: 'error', kind: 'input', got: '20', hint: '17 or 34' });
  });
});

it('latents that are no latents are exit code 1', async () => {
  const { code, err } = await cli('decode', path.join(checkpoint, 'vae/vae_v2.safetensors'));
  expect(err).toContain('must be latents saved by this program');
  expect(code).toBe(1);
});

describe('inspect', () => {
  it('lists the tensors of a checkpoint that is complete', async () => {
    const { code, out } = await cli('inspect', checkpoint);
    expect(code).toBe(0);
    expect(out).toContain('transformer_blocks.0.attn1.wqkv.weight');
    expect((await cli('inspect', checkpoint, '--summary')).out).not.toContain('wqkv');
    expect(JSON.parse((await cli('inspect', checkpoint, '--json')).out)).toMatchObject({ complete: true });
  });
});

describe('quantize', () => {
  it('says sizes, writes a directory that inspect finds whole, and will not write it twice', async () => {
    const sizes = JSON.parse((await cli('quantize', checkpoint, '--to', 'int4', '--dry-run', '--json')).out);
    expect(sizes.map((each: { component: string }) => each.component)).toEqual([
      'transformer',
      'step_llm',
      'hunyuan_clip',
    ]);
    const out = path.join(scratch, 'tiny-int4');
    const { code, out: printed, err } = await cli('quantize', checkpoint, '--to', 'int4', '--out', out);
    expect({ code, printed }).toEqual({ code: 0, printed: out });
    expect(err).toContain('1 weight files linked');
    expect((await cli('inspect', out, '--summary')).out).toMatch(/scheme: int4[\s\S]*total: .*\d int4\b/);
    expect(await cli('quantize', checkpoint, '--to', 'int8', '--out', out)).toMatchObject({
      code: 2,
      err: expect.stringContaining('the output must be a new directory'),
    });
  });

  it.each([
    [['quantize'], 'one directory must be given'],
    [['quantize', checkpoint], '--to must be one of int8, int4'],
    [['quantize', checkpoint, '--to', 'int2'], 'got int2'],
    [['quantize', '/nowhere', '--to', 'int8'], 'model must be a checkpoint directory'],
  ])('%j is bad input', async (argv, text) => {
    expect(await cli(...argv)).toMatchObject({ code: 2, err: expect.stringContaining(text) });
  });
});
