import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { probe } from '../../src/video/decode.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'step-video-examples-'));
afterAll(() => rmSync(folder, { recursive: true }));

const root = fileURLToPath(new URL('../..', import.meta.url));
const CHECKPOINT = path.join(root, 'test/golden/parity/checkpoint');

/** The recorded checkpoint with a preset of its own, of pictures small enough for a test. */
const SMALL = path.join(folder, 'small');
mkdirSync(SMALL);
for (const component of ['transformer', 'vae', 'step_llm', 'hunyuan_clip'])
  symlinkSync(path.join(CHECKPOINT, component), path.join(SMALL, component));
const preset = { preset: 'small', defaults: { height: 32, width: 32 } };
writeFileSync(path.join(SMALL, 'step_video.json'), JSON.stringify(preset));

/** Runs an example as a user does; a test that runs out of time takes the example with it. */
function example(signal: AbortSignal, name: string, ...words: string[]) {
  const file = path.join('examples', `${name}.ts`);
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...words], { cwd: root, signal });
  const text = { out: '', errors: '' };
  child.stdout.on('data', (chunk) => {
    text.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    text.errors += chunk;
  });
  return new Promise<{ code: number | null } & typeof text>((resolve, reject) =>
    child.once('error', reject).once('close', (code) => resolve({ code, ...text })),
  );
}

describe('examples', () => {
  it('01 makes a video and says how far it is', async ({ signal }) => {
    const file = path.join(folder, 'first.mp4');
    const { code, out, errors } = await example(signal, '01-first-video', 'a red apple', SMALL, '2', file);
    expect(errors).toBe('');
    expect(code).toBe(0);
    expect(out).toContain('step 1 of 2');
    expect(out).toContain('frame 17 of 17');
    expect(out).toContain(file);
    expect(await probe(file)).toMatchObject({ frames: 17, width: 32, height: 32 });
  });

  it('01 shows the error of a model that is not there', async ({ signal }) => {
    const { code, errors } = await example(signal, '01-first-video', 'a red apple', path.join(folder, 'nothing'));
    expect(code).toBe(1);
    expect(errors).toContain('generate: model must be a checkpoint directory');
  });

  it('02 stops after two steps and goes on from there', async ({ signal }) => {
    const file = path.join(folder, 'stopped.mp4');
    const { code, out, errors } = await example(signal, '02-events-and-cancel', SMALL, '4', file);
    expect(errors).toBe('');
    expect(code).toBe(0);
    expect(out).toContain('step 2:');
    expect(out).not.toContain('step 3:');
    expect(out).toContain(`stopped; latents kept in ${path.join(folder, 'stopped.latents.safetensors')}`);
    expect(out).toContain('going on after step 2: a green frog');
    expect((await probe(file)).frames).toBe(17);
  });

  it('03 learns both arms of the spiral', async ({ signal }) => {
    const { code, out, errors } = await example(signal, '03-own-graph', '400');
    expect(errors).toBe('');
    expect(code).toBe(0);
    const losses = [...out.matchAll(/loss ([\d.]+)/g)].map((match) => Number(match[1]));
    expect(losses[0]).toBeGreaterThan(0.5);
    expect(losses.at(-1)).toBeLessThan(0.05);
    expect(out).toContain('200 of 200 right');
  });

  it('04 finds the recorded checkpoint complete', async ({ signal }) => {
    const { code, out, errors } = await example(signal, '04-read-weights', CHECKPOINT);
    expect(errors).toBe('');
    expect(code).toBe(0);
    expect(out).toContain('transformer: 49 of 49 tensors');
    expect(out).toContain('8423643 parameters in 6 files, complete');
    expect(out).toMatch(/proj_out\.weight: 512 values of about 0\.0\d+/);
  });
});
