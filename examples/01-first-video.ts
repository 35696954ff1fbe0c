/**
 * A video from a sentence.
 *
 *   npx tsx examples/01-first-video.ts "a red apple bounces on a blue background" [MODEL] [STEPS] [OUT]
 */
import { generate } from '../src/index.ts';

const [prompt = 'a red apple bounces on a blue background', model = 'mini', steps, out = 'out/first-video.mp4'] =
  process.argv.slice(2);

for await (const event of generate({ prompt, model, out, ...(steps && { steps: Number(steps) }) })) {
  switch (event.type) {
    case 'step':
      console.log(`step ${event.step} of ${event.steps}, ${event.etaSeconds.toFixed(0)} s left`);
      break;
    case 'frame':
      console.log(`frame ${event.index + 1} of ${event.frames}`);
      break;
    case 'done':
      console.log(`${event.path}: ${event.frames} frames in ${event.seconds.toFixed(1)} s`);
      break;
  }
}
