/**
 * Dense Chinese captions: one or two full sentences that name subject, size, motion, speed, background and camera move, as
 * the report's dense captions do. Knows templates only; what fills them is in `captions-chinese-phrases.ts`.
 */
import { isScenery } from './background.ts';
import type { Camera } from './camera.ts';
import type { Facts } from './captions-facts.ts';
import { kept, type Rule, type Rules } from './captions-grammar.ts';
import type { SizeName } from './scene.ts';

/** The rule `dense` for a scene, and those that only dense captions have. */
export const chineseDense = ({ other, size, camera, background }: Facts): Rules =>
  rules(other !== undefined, size, camera, isScenery(background));

/** A camera that moves is always named, one that stands still at times. */
const rules = kept((isPair: boolean, size: SizeName, camera: Camera, scenery: boolean): Rules => {
  const moved = camera === 'static' ? 0 : 1;
  const still = { ' 。': scenery ? 15 : 85, ' ， {camera} 。': 15 };
  return {
    end: moved ? { ' ， {camera} 。': 65, ' 。 {camera} 。': 35 } : still,
    dense: isPair ? pair(moved) : single(size, moved),
  };
});

const single = (size: SizeName, moved: number): Rule => ({
  '{a} 在 {dense_on} {acts}{end}': 22,
  '{a} {dense_at_now} {acts}{end}': 12,
  '{a} {acts} ， 背景 {dense_is}{end}': 16,
  '视频 中 ， {a} {doing_acts} ， 背景 {dense_is}{end}': 12,
  '画面 里 有 {a} ， 它 在 {dense_on} {acts}{end}': 12,
  '在 {dense_on} ， {a} {doing_acts}{end}': 10,
  '这 {measure} {kind} {size_alone} ， 在 {dense_on} {acts}{end}': size === 'medium' ? 0 : 8,
  '{camera} ， {a} 在 {dense_on} {acts} 。': 12 * moved,
  '随着 {camera} ， {a} 在 {dense_on} {acts} 。': 8 * moved,
});

const pair = (moved: number): Rule => ({
  '{pair} ， 它们 都 在 {dense_on} {acts}{end}': 20,
  '{a_x} 和 {a_y} 一起 在 {dense_on} {acts} ， {x} 在 {here} ， {y} 在 {there}{end}': 16,
  '{a_x} 和 {a_y} {doing_acts} ， {x} 在 {y} 的 {side} ， 背景 {dense_is}{end}': 16,
  '视频 中 ， {here} 是 {a_x} ， {there} 是 {a_y} ， 它们 在 {dense_on} {acts}{end}': 14,
  '画面 里 有 {a_x} 和 {a_y} ， {x} 在 {y} {side} ， 都 在 {dense_on} {acts}{end}': 12,
  '随着 {camera} ， {a_x} 和 {a_y} 在 {dense_on} {acts} ， {x} 在 {side} 。': 10 * moved,
});
