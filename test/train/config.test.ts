/** Run configs: the shipped ones are valid, everything else is refused with the field's name. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { World } from '../../src/cli/command.ts';
import { run } from '../../src/cli/run.ts';
import { readTrainingConfig } from '../../src/train/config.ts';
import { ditConfig, featuresConfig, vaeConfig } from './tiny-runs.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'config-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const runs = fileURLToPath(new URL('../../runs', import.meta.url));

function written(config: object | string): string {
  const file = path.join(scratch, 'run.json');
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  return file;
}

it.each(readdirSync(runs).filter((name) => name.endsWith('.json')))(
  'runs/%s is valid and named as its file',
  async (name) => {
    expect((await readTrainingConfig(path.join(runs, name))).name).toBe(path.basename(name, '.json'));
  },
);

describe('refused, naming the field', () => {
  const [vae, dit, features] = [vaeConfig('x'), ditConfig('x'), featuresConfig('x')];
  const withGroup = (change: object) => ({ ...vae, groups: [{ ...vae.groups[1], ...change }] });
  it.each<[object | string, RegExp]>([
    [{ ...vae, stpes: 3 }, /run\.json: config: .*"stpes"/],
    [withGroup({ beta: 1 }), /groups\.0: .*"beta"/],
    [{ ...vae, stage: 'both' }, /stage/],
    [{ ...vae, steps: 0 }, /steps: /],
    [{ ...vae, name: '../elsewhere' }, /name: /],
    [{ ...vae, groups: [] }, /groups: /],
    [withGroup({ pattern: '(' }), /groups\.0\.pattern: must be a regular expression/],
    [withGroup({ betas: [0.9, 1] }), /groups\.0\.betas\.1: /],
    [withGroup({ lr: -1 }), /groups\.0\.lr: /],
    [{ ...vae, buckets: [{ frames: 9, batch: 1 }] }, /buckets\.0\.frames: must be 1 or 17/],
    [{ ...vae, buckets: [{ frames: 1, crop: 40, batch: 1 }] }, /buckets\.0\.crop: /],
    [{ ...vae, ema: 1 }, /ema: /],
    [{ ...dit, vae: undefined }, /vae: /],
    [{ ...dit, buckets: [{ frames: 17, batch: 2 }] }, /buckets\.0\.clips: /],
    [{ ...vae, loss: { perceptual: { weight: 1 } } }, /loss\.perceptual\.features: /],
    [{ ...vae, loss: { adversarial: { weight: 1, widths: [12] } } }, /loss\.adversarial\.widths\.0: /],
    [{ ...features, model: { num_groups: 5 } }, /model: num_groups must divide every width/],
    [{ ...features, worn: 2 }, /worn: /],
    ['{"stage": "vae",', /config must be JSON/],
  ])('%j', async (config, message) => {
    const reading = readTrainingConfig(written(config));
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toMatchObject({ kind: 'input' });
  });

  it('a file that is not there', async () => {
    await expect(readTrainingConfig(path.join(scratch, 'none.json'))).rejects.toThrow(
      /train: --config must name a readable JSON file, got .*none\.json/,
    );
  });
});

describe('the command', () => {
  async function cli(...argv: string[]): Promise<{ code: number; err: string }> {
    const err: string[] = [];
    const world: World = {
      print: () => {},
      note: (line) => err.push(line),
      terminal: undefined,
      signal: new AbortController().signal,
      program: 'step-video',
    };
    return { code: await run(['train', ...argv], world), err: err.join('\n') };
  }

  it('wants the stage that the config is of', async () => {
    const { code, err } = await cli('dit', '--config', written(vaeConfig(scratch)));
    expect(err).toMatch(/run\.json must describe the stage dit, got vae/);
    expect(code).toBe(2);
  });

  it('says what to do where the training data are missing', async () => {
    const { code, err } = await cli('vae', '--config', written(vaeConfig(scratch)));
    expect(err).toMatch(/the training data must be built first.*\(try step-video data build\)/);
    expect(code).toBe(1);
  });
});
