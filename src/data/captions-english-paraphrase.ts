/**
 * English templates that training never uses, made of words that it does use: how well a model reads new sentences is
 * measured with them. Each names subject, motion, speed, background and camera move. Knows templates only.
 */
import type { Facts } from './captions-facts.ts';
import type { Rules } from './captions-grammar.ts';

/** The held-out templates for one subject. */
const SINGLE = [
  '{a} {where} is {moving}{tail}',
  'there is {a} {where}, and it is {moving}{tail}',
  '{backdrop}, and {a} {moves} in front of it{tail}',
  'a video of {area} with {a} {moving}{tail}',
  '{bare}, {sized} {moving}{typed_tail}',
  '{where}, we see {a} {moving}{tail}',
  'it is {a} that {moves} {where}{tail}',
  '{a} that is {moving} {where}{tail}',
  '{moving} {where} is {a}{tail}',
  'in the video, {a} is {moving}, and {backdrop}{closing}',
];

/** The held-out templates for two subjects. */
const PAIR = [
  'there is {pair} {where}, and they are both {moving}{tail}',
  '{where}, a {x} {side} and a {y} {other_side} {move}{tail}',
  '{bare}, {x} {of} {y}, {moving}{typed_tail}',
  '{backdrop}, and a {x} {side} and a {y} {other_side} {move} in front of it{tail}',
  'a video of {area} with {pair}, both {moving}{tail}',
  'it is a {x} that is {of} a {y}, and both {move} {where}{tail}',
  'a {x} and a {y} are {moving} {where}, and the {x} is {of} the {y}{tail}',
  'both {moving} {where}, we see {pair}{tail}',
];

/** The rule `paraphrase` for a scene, and those that only paraphrases have. */
export function englishParaphrase({ other, camera }: Facts): Rules {
  const isStatic = camera === 'static';
  return {
    paraphrase: other ? PAIR : SINGLE,
    tail: isStatic ? [''] : [', {camera}', ' as {camera}', ' while {camera}', ', and {camera}'],
    closing: isStatic ? [''] : ['. {camera}'],
    typed_tail: isStatic ? [''] : [', {camera_typed}'],
  };
}
