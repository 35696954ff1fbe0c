/**
 * `step-video train`: reads a config, builds its task, trains. The one place that knows which stage is which task.
 */
import path from 'node:path';
import type { Device } from '../runtime/device.ts';
import { readTrainingConfig } from './config.ts';
import { ditTask } from './dit-task.ts';
import { openMetrics, type Show } from './metrics.ts';
import { train } from './trainer.ts';
import { vaeTask } from './vae-task.ts';

export type TrainingOptions = {
  readonly configPath: string;
  readonly device?: Device;
  readonly signal?: AbortSignal;
  readonly show?: Show;
};

/** Runs or resumes the run that the config describes; returns its folder, which holds `best/` and `last/`. */
export async function runTraining(options: TrainingOptions): Promise<string> {
  const { configPath, device = 'cpu', signal, show = () => {} } = options;
  const config = await readTrainingConfig(configPath);
  const folder = path.join(config.out, config.name);
  const metrics = openMetrics(folder, { every: config.logSteps, show });
  const task =
    config.stage === 'vae' ? await vaeTask(config, { device, show }) : await ditTask(config, { device, show });
  return train(task, config, { device, metrics, signal });
}
