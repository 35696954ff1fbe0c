/**
 * Which subject × background × motion triples are never trained on, and fixed sets of them to score on.
 * A hash decides, so the split needs no list and is the same everywhere. Does not know pixels or captions.
 */
import { COLOUR_NAMES, type Colour } from './background.ts';
import { MOTIONS, type Motion } from './motion.ts';
import { hashText, mix32, randomStream } from './random.ts';
import type { Scene } from './scene.ts';
import type { World } from './world.ts';

/** What a prompt asks for, and what a score is taken on. */
export type Triple = { readonly subject: string; readonly background: Colour; readonly motion: Motion };

/** One triple in this many is held out. */
const HELD_OUT_ONE_IN = 8;

/** Whether a scene's triple is kept out of training: about one in eight, gradients included. */
export function isHeldOut(scene: Pick<Scene, 'subject' | 'background' | 'motion'>): boolean {
  return hashText(`${scene.subject}|${scene.background}|${scene.motion}`) % HELD_OUT_ONE_IN === 0;
}

/** Every held-out triple of trained subjects on plain colours, by subject, background, motion. */
export function allHeldOutTriples(world: World): Triple[] {
  const triples: Triple[] = [];
  for (const { id: subject, role } of world.subjects) {
    if (role !== 'trained') continue;
    for (const background of COLOUR_NAMES) {
      for (const motion of MOTIONS) {
        const triple = { subject, background, motion };
        if (isHeldOut(triple)) triples.push(triple);
      }
    }
  }
  return triples;
}

/**
 * `count` distinct held-out triples, of those that `keep` accepts, in which every subject, motion and background appears
 * about equally often. Deterministic in (the triples to choose from, count, seed); fewer come back when there are no more.
 */
export function heldOutTriples(
  world: World,
  count: number,
  seed: number,
  keep: (triple: Triple) => boolean = () => true,
): Triple[] {
  const random = randomStream(seed, mix32(0x7e57));
  const left = allHeldOutTriples(world)
    .filter(keep)
    .map((triple) => ({ triple, order: random.uniform() }));
  left.sort((a, b) => a.order - b.order);
  const used = new Map<string, number>();
  const chosen: Triple[] = [];
  while (chosen.length < count && left.length > 0) {
    // Greedy: take the triple whose most used part is used least, then the least used in sum.
    let best = 0;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const [index, { triple }] of left.entries()) {
      const uses = Object.entries(triple).map((part) => used.get(part.join()) ?? 0);
      const cost = uses.reduce((sum, use) => sum + use * use, 0);
      if (cost < bestCost) [best, bestCost] = [index, cost];
    }
    const { triple } = left.splice(best, 1)[0]!;
    for (const part of Object.entries(triple)) used.set(part.join(), (used.get(part.join()) ?? 0) + 1);
    chosen.push(triple);
  }
  return chosen;
}
