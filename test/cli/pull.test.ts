/** The command line of a pull, against a local hub: what it prints, and that the model can be used by its name after it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { World } from '../../src/cli/command.ts';
import { pullProgress } from '../../src/cli/pull-progress.ts';
import { run } from '../../src/cli/run.ts';
import { modelDirectory } from '../../src/model-directory.ts';
import { loadPipeline } from '../../src/pipeline.ts';
import { PRESETS, presetOf } from '../../src/presets.ts';
import type { PullEvent } from '../../src/pull.ts';
import { type FakeHub, REPOSITORY, startHub } from '../hub/hub-server.ts';
import { tinyCheckpoint } from '../hub/repository.ts';

let hub: FakeHub;
let scratch: string;
beforeAll(async () => {
  hub = await startHub(tinyCheckpoint());
});
afterAll(() => hub.close());
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), 'pull-'));
  for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HUB_OFFLINE', 'HF_TOKEN'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('HF_HOME', path.join(scratch, 'huggingface'));
  vi.stubEnv('MODELSCOPE_CACHE', path.join(scratch, 'modelscope'));
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('MODELSCOPE_ENDPOINT', hub.url);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true });
});

async function cli(...argv: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const [out, err]: string[][] = [[], []];
  const world: World = {
    print: (line) => out!.push(line),
    note: (line) => err!.push(line),
    terminal: undefined,
    signal: new AbortController().signal,
    program: 'step-video',
  };
  return { code: await run(argv, world), out: out!, err: err! };
}

describe.each(['huggingface', 'modelscope'])('from %s', (from) => {
  it('prints the directory, in which every component opens, also by name', async () => {
    const { code, out, err } = await cli('pull', REPOSITORY, '--from', from);
    expect([code, out.length]).toEqual([0, 1]);
    expect(err[0]).toMatch(new RegExp(`^${REPOSITORY} at \\S+ from ${from}: 16 files, 17\\.2 MB to fetch$`));
    expect(err).toContainEqual('vae/vae_v2.safetensors: 10.4 MB, SHA-256 as listed');
    expect(err.some((line) => line.startsWith('100 % of 17.2 MB'))).toBe(true);
    expect(err.at(-1)).toBe(`to use it:\n  step-video --model ${REPOSITORY} "…"`);
    const [directory] = out as [string];
    expect(modelDirectory(REPOSITORY)).toBe(directory);
    const pipeline = await loadPipeline(directory, { device: 'cpu', preset: presetOf(directory), threads: 1 });
    expect(pipeline.latentChannels).toBeGreaterThan(0);
    await pipeline.close();

    const again = await cli('pull', REPOSITORY, '--from', from);
    expect([again.code, again.out]).toEqual([0, [directory]]);
    expect(again.err).toContainEqual(expect.stringContaining('16 files, all there'));
    // ModelScope's files have no hash in their names: they are read again.
    expect(again.err.includes('vae/vae_v2.safetensors: is there, being checked')).toBe(from === 'modelscope');
  });
});

it('a pulled model makes a video by its name', async () => {
  await cli('pull', REPOSITORY);
  const out = path.join(scratch, 'clip.gif');
  const sampling = ['--size', '16x32', '--frames', '1', '--steps', '1', '--out', out];
  const { code, err } = await cli('a fox', '--model', REPOSITORY, ...sampling);
  expect(err.join('\n')).toContain('denoise 1/1');
  expect(code).toBe(0);
  expect(readFileSync(out).subarray(0, 3).toString()).toBe('GIF');
});

it('--json is a line an event, and the end last', async () => {
  const { out, err } = await cli('pull', REPOSITORY, '--only', 'vae', '--json');
  const events = out.map((line) => JSON.parse(line));
  expect(events[0]).toMatchObject({ type: 'start', repository: REPOSITORY });
  expect(events.at(-1)).toMatchObject({ type: 'done', files: 2, directory: expect.stringContaining('snapshots') });
  expect(err).toEqual([]);
});

describe('bad input is exit code 2 and one line', () => {
  it.each([
    [['pull'], 'pull: OWNER/NAME must be given (try stepfun-ai/stepvideo-t2v)'],
    [['pull', 'a/b', 'c/d'], 'pull: takes one repository, got a/b c/d'],
    [['pull', 'stepvideo'], 'pull: OWNER/NAME must be OWNER/NAME, as in stepfun-ai/stepvideo-t2v, got stepvideo'],
    [['pull', 'a/b', '--from', 'github'], 'pull: --from must be one of huggingface, modelscope, or a URL, got github'],
    [
      ['pull', 'a/b', '--only', 'vae,unet'],
      'pull: --only must be some of transformer,vae,step_llm,hunyuan_clip, got unet',
    ],
    [['pull', 'a/b', '--turbp'], 'pull: unknown flag --turbp (try --turbo)'],
    [['a fox', '--model', REPOSITORY], `got ${REPOSITORY} (try step-video pull ${REPOSITORY})`],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await cli(...argv);
    expect(err.join('\n')).toContain(message);
    expect([code, out, err.length]).toEqual([2, [], 1]);
  });
});

it('a name that was pulled in parts says which component is missing', async () => {
  await cli('pull', REPOSITORY, '--only', 'vae');
  const { code, err } = await cli('a fox', '--model', REPOSITORY);
  expect([code, err.join('\n')]).toEqual([1, expect.stringMatching(/hunyuan_clip|step_llm|transformer/)]);
});

it('the turbo model by its name samples by its preset', async () => {
  const turbo = await startHub(tinyCheckpoint(), `${REPOSITORY}-turbo`);
  vi.stubEnv('HF_ENDPOINT', turbo.url);
  const { out, err } = await cli('pull', REPOSITORY, '--turbo').finally(() => turbo.close());
  expect(err.at(-1)).toContain(`--model ${REPOSITORY}-turbo`);
  expect(modelDirectory(`${REPOSITORY}-turbo`)).toBe(out[0]);
  expect(presetOf(out[0]!)).toEqual(PRESETS.turbo);
});

it('on a terminal there is a bar for each file under way and one for all, and the cursor comes back', () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120, rows: 40 });
  const drawn: string[] = [];
  stream.on('data', (chunk: Buffer) => drawn.push(String(chunk)));
  const { signal } = new AbortController();
  const terminal = stream as unknown as NodeJS.WriteStream;
  const progress = pullProgress({ print() {}, note() {}, terminal, signal, program: 'x' });
  const files = ['a.bin', 'b.bin'].map((name) => ({ path: name, size: 2_000_000, received: 0 }));
  const events: PullEvent[] = [
    { type: 'verify', path: 'b.bin', size: 2_000_000 },
    { type: 'start', hub: 'huggingface', repository: 'o/n', revision: 'main', files, missing: 4_000_000 },
    { type: 'progress', path: 'a.bin', received: 1_000_000, size: 2_000_000 },
    { type: 'wait', path: 'b.bin', received: 500_000, size: 2_000_000 },
    { type: 'verify', path: 'a.bin', size: 2_000_000 },
    { type: 'file', path: 'a.bin', size: 2_000_000, check: 'SHA-256' },
    { type: 'file', path: 'b.bin', size: 2_000_000, check: 'another process' },
  ];
  for (const event of events) progress.show(event);
  progress.stop();
  progress.stop();
  const text = drawn.join('');
  expect(text).toContain('in all');
  expect(text).toContain('500.0 kB/2.0 MB b.bin (by another process)');
  expect(text).toContain('4.0 MB/4.0 MB');
  expect(text.lastIndexOf('\x1B[?25h')).toBeGreaterThan(text.lastIndexOf('\x1B[?25l'));
});
