/**
 * A plan for people, as a table, and for programs, as plain data.
 */
import type { Rates } from './calibrate.ts';
import { formatMemory } from './memory-size.ts';
import type { MemoryPlan, NetworkPlan } from './plan.ts';
import { placementText } from './reasons.ts';
import { secondsOf } from './seconds.ts';

const NAMES = { step_llm: 'Step-LLM', hunyuan_clip: 'CLIP', transformer: 'denoiser', vae: 'VAE decoder' } as const;

/** The table of `step-video plan`. */
export function formatPlan(plan: MemoryPlan, rates: Rates): string {
  const rows = plan.networks.map((network) => [
    NAMES[network.component],
    formatMemory(network.cost.weights),
    placementText(network),
    formatMemory(network.peak),
    `${duration(secondsOf(network, rates))}${network.cost.runs > 1 ? ` (${network.cost.runs} runs)` : ''}`,
  ]);
  const table = [['network', 'weights', 'held', 'peak memory', 'about'], ...rows];
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
  const total = plan.networks.reduce((sum, network) => sum + secondsOf(network, rates), 0);
  const over = plan.peak > plan.memory ? ', more than is free' : '';
  return [
    ...lines,
    '',
    `memory: ${formatMemory(plan.peak)} at the peak${over}, of ${formatMemory(plan.memory)} ${plan.asked ? 'allowed' : 'free'}`,
    `disk: ${formatMemory(plan.disk)} of latents until the video is there, and the video`,
    `time: about ${duration(total)} at ${(rates.flops / 1e9).toFixed(0)} GFLOP/s, ${(rates.decoding / 1e9).toFixed(2)} G weights/s decoded, ${formatMemory(rates.reading)}/s read`,
    ...plan.networks.map((network) => `${NAMES[network.component]}: ${network.why}`),
  ].join('\n');
}

/** The plan without its stages, with seconds. */
export function planJson(plan: MemoryPlan, rates: Rates): object {
  const network = (each: NetworkPlan) => ({
    component: each.component,
    weights: each.cost.weights,
    runs: each.cost.runs,
    stages: each.cost.stages.length,
    placement: each.placement,
    ...(each.decode !== undefined && { decode: each.decode }),
    flops: each.cost.stages.reduce((sum, { flops }) => sum + flops, 0) * each.cost.runs,
    peak: each.peak,
    seconds: secondsOf(each, rates),
    why: each.why,
  });
  const { memory, asked, peak, disk } = plan;
  return { memory, asked, peak, disk, rates, networks: plan.networks.map(network) };
}

function duration(seconds: number): string {
  if (seconds < 90) return `${seconds.toPrecision(2)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86_400).toFixed(1)} days`;
}
