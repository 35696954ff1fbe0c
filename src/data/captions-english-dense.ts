/**
 * Dense English captions: one or two full sentences that name subject, size, motion, speed, background and camera move, as
 * the report's dense captions do. Knows templates only; what fills them is in `captions-english-phrases.ts`.
 */
import { isScenery } from './background.ts';
import type { Camera } from './camera.ts';
import type { Facts } from './captions-facts.ts';
import { kept, type Rule, type Rules } from './captions-grammar.ts';
import type { SizeName } from './scene.ts';

/** The rule `dense` for a scene, and those that only dense captions have. */
export const englishDense = ({ other, size, camera, background }: Facts): Rules =>
  rules(other !== undefined, size, camera, isScenery(background));

const rules = kept((isPair: boolean, size: SizeName, camera: Camera, scenery: boolean): Rules => {
  const moved = camera === 'static' ? 0 : 1;
  return { ...ending(camera, scenery), dense: isPair ? pair(moved) : single(size, camera, moved) };
});

function single(size: SizeName, camera: Camera, moved: number): Rule {
  const panned = camera.startsWith('pan') ? 1 : 0;
  return {
    '{a} {moves} {dense_where}{end}.': 20,
    '{a} is {moving} {dense_where}{end}.': 14,
    '{a} {moves}. {behind}{closing}.': 14,
    'the video shows {a} {moving} {dense_where}{end}.': 12,
    'in this video, {a} {moves}, and {behind}{closing}.': 10,
    '{dense_where}, {a} is {moving}{end}.': 8,
    'we see {a} {dense_where}. it {moves}{end}.': 8,
    'the {thing} is {size} and {moves} {dense_where}{end}.': size === 'medium' ? 0 : 8,
    '{camera} as {a} {moves} {dense_where}.': 12 * moved,
    '{camera} {across} {dense_area} while {a} {moves}.': 10 * panned,
  };
}

const pair = (moved: number): Rule => ({
  '{pair}, both {moving} {dense_where}{end}.': 18,
  'a {x} is {of} a {y}, and they both {move} {dense_where}{end}.': 14,
  'a {x} and a {y} {move} {dense_where}. the {x} is {side} and the {y} is {other_side}{closing}.': 14,
  'the video shows {pair}. both are {moving}, and {behind}{closing}.': 12,
  'in this video, a {x} {side} and a {y} {other_side} are {moving} {dense_where}{end}.': 10,
  '{dense_where}, a {x} and a {y} are {moving}. the {x} is {of} the {y}{closing}.': 10,
  '{camera} as a {x} {side} and a {y} {other_side} {move} {dense_where}.': 10 * moved,
});

/**
 * How a dense caption ends: with the camera's move always, with one that stays still at times. `closing` comes after a clause
 * that tells of no movement and would not go on with "while".
 */
function ending(camera: Camera, scenery: boolean): Rules {
  const ends = { '. {camera}': 35, ', and {camera}': 25, ' while {camera}': 25, ' as {camera}': 15 };
  if (camera !== 'static') return { end: ends, closing: ['. {camera}'] };
  const silent = { '': scenery ? 15 : 85 };
  return { end: { ...silent, '. {camera}': 9, ', and {camera}': 6 }, closing: { ...silent, '. {camera}': 15 } };
}
