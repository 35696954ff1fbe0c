/**
 * `step-video train vae|dit|features`: runs or resumes the training run that a config file describes; `train report` draws
 * what a run has done, and `train average` makes one model of several.
 */
import { inputError } from '../errors.ts';
import type { Device } from '../runtime/device.ts';
import type { Command, Invocation, World } from './command.ts';

const STAGES = ['vae', 'dit', 'features'];

export const trainCommand: Command = {
  name: 'train',
  usage: 'vae|dit|features|report|average …',
  about: 'train a network, or go on with a stopped run; report RUN [RUN2] draws runs; average MODEL MODEL … --out DIR',
  flags: [
    { name: 'config', kind: 'text', value: 'FILE', about: 'JSON file of the run (see runs/)' },
    { name: 'device', kind: 'text', value: 'cpu|webgpu|cuda', about: 'where it runs (default cpu)' },
    {
      name: 'out',
      kind: 'text',
      value: 'FILE',
      about: 'report: the page (default report.html in RUN); average: the new model',
    },
  ],
  async run({ values, words, world }) {
    const [stage, ...rest] = words;
    if (stage === 'report') return report(rest, values, world);
    if (stage === 'average') return average(rest, values, world);
    if (stage === undefined || !STAGES.includes(stage) || rest.length > 0) {
      throw inputError(
        'train',
        'must be followed by vae, dit, features, report or average',
        words.join(' ') || undefined,
      );
    }
    if (values.out !== undefined)
      throw inputError('train', '--out is for report and average; the config says where a run goes');
    if (values.config === undefined) throw inputError('train', '--config FILE must be given');
    const configPath = String(values.config);
    const { readTrainingConfig } = await import('../train/config.ts');
    const config = await readTrainingConfig(configPath);
    if (config.stage !== stage)
      throw inputError('train', `${configPath} must describe the stage ${stage}`, config.stage);
    const { runTraining } = await import('../train/run.ts');
    const device = await deviceOf(values.device, world);
    const folder = await runTraining({ configPath, device, signal: world.signal, show: liveLine(world) });
    world.print(folder);
    return 0;
  },
};

async function report(folders: readonly string[], values: Invocation['values'], world: World): Promise<number> {
  const [run, other, ...rest] = folders;
  if (run === undefined || rest.length > 0)
    throw inputError('train report', 'must be given the folders of one run or of two', folders.join(' ') || undefined);
  for (const name of ['config', 'device'])
    if (values[name] !== undefined) throw inputError('train report', `--${name} is for vae and dit`);
  const { writeReport } = await import('../train/report/report.ts');
  world.print(await writeReport({ run, other, ...(values.out !== undefined && { out: String(values.out) }) }));
  return 0;
}

async function average(models: readonly string[], values: Invocation['values'], world: World): Promise<number> {
  if (values.out === undefined) throw inputError('train average', '--out DIR must be given');
  for (const name of ['config', 'device'])
    if (values[name] !== undefined) throw inputError('train average', `--${name} is for runs`);
  const { averageModels } = await import('../train/average-models.ts');
  await averageModels(models, String(values.out));
  world.print(String(values.out));
  return 0;
}

async function deviceOf(value: unknown, world: World): Promise<Device> {
  const { DEVICES } = await import('../runtime/device.ts');
  const device = DEVICES.find((name) => name === (value ?? 'cpu'));
  if (device === undefined) throw inputError('train', `--device must be one of ${DEVICES.join(', ')}`, value);
  const { settleDevice } = await import('../runtime/settle-device.ts');
  const settled = await settleDevice(device);
  if (settled.warning !== undefined) world.note(settled.warning);
  return settled.device;
}

/** Lines that are not final overwrite each other on a terminal; elsewhere every line stays. */
function liveLine(world: World): (line: string, final: boolean) => void {
  const { terminal } = world;
  if (!terminal) return (line) => world.note(line);
  let isOpen = false;
  return (line, final) => {
    terminal.write(
      `${isOpen ? '\r\x1b[K' : ''}${line.slice(0, Math.max(20, terminal.columns - 1))}${final ? '\n' : ''}`,
    );
    isOpen = !final;
  };
}
