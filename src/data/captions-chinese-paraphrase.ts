/**
 * Chinese templates that training never uses, made of words that it does use: how well a model reads new sentences is
 * measured with them. Each names subject, motion, speed, background and camera move. Knows templates only.
 */
import type { Facts } from './captions-facts.ts';
import type { Rules } from './captions-grammar.ts';

/** The held-out templates for one subject. */
const SINGLE = [
  '{on} 有 {a} {is_doing}{tail}',
  '背景 {is} ， {a} {doing}{tail}',
  '{bare} ， {thing} {act}{tail}',
  '有 {a} {at_now} {act}{tail}',
  '画面 中 ， {on} 的 {thing} {doing}{tail}',
  '一 {measure} 在 {on} {act} 的 {kind}{tail}',
  '{act} 的 {kind} 在 {on}{tail}',
  '视频 里 是 {a} ， 它 {is_doing} ， 背景 {is}{tail}',
  '{a} ， 它 {at_now} {act}{tail}',
];

/** The held-out templates for two subjects. */
const PAIR = [
  '{on} 有 {a_x} 和 {a_y} {is_doing} ， {x} 在 {side}{tail}',
  '背景 {is} ， {pair} ， 都 {is_doing}{tail}',
  '{bare} ， {x} 在 {y} 的 {side} ， {act}{tail}',
  '在 {on} ， {here} 是 {a_x} ， {there} 是 {a_y} ， 都 {is_doing}{tail}',
  '{x} 在 {here} ， {y} 在 {there} ， 它们 在 {on} {act}{tail}',
  '{a_y} 的 {side} 是 {a_x} ， 它们 {at_now} {act}{tail}',
  '{on} 有 {a_x} ， 它 在 {a_y} 的 {side} ， 都 {is_doing}{tail}',
  '一起 在 {on} {act} 的 是 {a_x} 和 {a_y} ， {x} 在 {side}{tail}',
];

/** The rule `paraphrase` for a scene, and those that only paraphrases have. */
export const chineseParaphrase = ({ other, camera }: Facts): Rules => ({
  paraphrase: other ? PAIR : SINGLE,
  tail: camera === 'static' ? [''] : [' ， {camera}'],
});
