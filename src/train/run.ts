/**
 * `step-video train`: reads a config, builds its task, trains, reports. The one place that knows which stage is which task.
 */
import path from 'node:path';
import type { Device } from '../runtime/device.ts';
import { readTrainingConfig, type TrainingConfig } from './config.ts';
import { ditTask } from './dit-task.ts';
import { featuresTask } from './features-task.ts';
import { type Metrics, openMetrics, type Show } from './metrics.ts';
import { runReport } from './report/report.ts';
import { type Task, train } from './trainer.ts';
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
  const task = await taskOf(config, { device, show });
  const write = runReport(folder);
  /** A run is worth more than its report. */
  const report = (): Promise<void> =>
    write().catch((error: unknown) => show(`no report: ${error instanceof Error ? error.message : error}`, true));
  try {
    return await train(task, config, { device, metrics, signal, onResults: report });
  } catch (error) {
    recordStop(metrics, error);
    throw error;
  } finally {
    await report();
  }
}

function taskOf(config: TrainingConfig, options: { device: Device; show: Show }): Promise<Task> {
  switch (config.stage) {
    case 'vae':
      return vaeTask(config, options);
    case 'dit':
      return ditTask(config, options);
    case 'features':
      return featuresTask(config, options.device);
  }
}

/** Why a run ended goes into its metrics where they can still be written; what it threw is the news all the same. */
function recordStop(metrics: Metrics, error: unknown): void {
  try {
    metrics.stopped(error instanceof Error ? error.message : String(error));
  } catch {}
}
