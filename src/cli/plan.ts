/**
 * `step-video plan`: what a generation would hold in memory, read, write and take, before any of it. Makes nothing.
 */
import { inputError } from '../errors.ts';
import { calibrate } from '../memory-plan/calibrate.ts';
import { formatPlan, planJson } from '../memory-plan/format.ts';
import { parseMemory } from '../memory-plan/memory-size.ts';
import { planMemory } from '../memory-plan/plan.ts';
import { modelDirectory } from '../model-directory.ts';
import { presetOf } from '../presets.ts';
import { fillRequest } from '../request.ts';
import { openComponent } from '../weights/checkpoint.ts';
import type { Command } from './command.ts';
import { REQUEST_FLAGS, requestFromFlags } from './request-flags.ts';

const TAKEN = new Set(['steps', 'guidance', 'frames', 'size', 'model', 'device', 'memory', 'tile', 'step-cache']);

export const planCommand: Command = {
  name: 'plan',
  usage: '[flags]',
  about: 'say what a generation would take: memory, disk, time, and why',
  flags: [
    ...REQUEST_FLAGS.filter(({ name }) => TAKEN.has(name)),
    { name: 'json', kind: 'switch', value: '', about: 'everything as one JSON line' },
  ],
  async run({ values: { json = false, ...values }, words, world }) {
    if (words.length > 0) throw inputError('plan', 'takes flags only', words.join(' '));
    const request = requestFromFlags(values, ['a plan needs no prompt']);
    const directory = modelDirectory(request.model);
    const device = request.device ?? 'cpu';
    const memory = request.memory === undefined ? undefined : parseMemory(request.memory);
    const sampling = fillRequest(request, presetOf(directory));
    const plan = await planMemory(directory, sampling, { device, memory, tile: request.tile });
    const { files, source } = await openComponent(directory, 'transformer');
    await source.close();
    const rates = await calibrate(files[0]!, device);
    world.print(json ? JSON.stringify(planJson(plan, rates)) : formatPlan(plan, rates));
    return 0;
  },
};
