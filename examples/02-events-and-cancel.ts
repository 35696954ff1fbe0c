/**
 * Stopping and going on: an AbortSignal stops a generation within one step, its latents are on disk by then, and a second
 * run goes on from them to the very video that an uninterrupted one would have made.
 *
 *   npx tsx examples/02-events-and-cancel.ts [MODEL] [STEPS] [OUT]
 */
import { type GenerateRequest, generate, StepVideoError } from '../src/index.ts';

const [model = 'mini', steps = '12', out = 'out/events-and-cancel.mp4'] = process.argv.slice(2);
const STOP_AFTER = 2;

const saved = await generateUntilStopped({
  prompt: 'a green frog grows on a yellow background',
  model,
  out,
  steps: Number(steps),
});
if (saved !== undefined) await goOnFrom(saved);

/** The file of latents that a stopped run leaves. */
async function generateUntilStopped(request: GenerateRequest): Promise<string | undefined> {
  const stop = new AbortController();
  let latents: string | undefined;
  try {
    for await (const event of generate(request, { signal: stop.signal })) {
      if (event.type === 'text') console.log(`text encoded in ${event.seconds.toFixed(1)} s`);
      if (event.type === 'latents') latents = event.path;
      if (event.type === 'step') {
        // `denoised` is the guess of the end result so far; a preview would decode it.
        const deviation = Math.sqrt(event.denoised.reduce((sum, x) => sum + x * x, 0) / event.denoised.length);
        console.log(`step ${event.step}: t ${event.t.toFixed(2)}, denoised latents deviate by ${deviation.toFixed(2)}`);
        if (event.step === STOP_AFTER) stop.abort();
      }
    }
  } catch (error) {
    if (!(error instanceof StepVideoError && error.kind === 'aborted')) throw error;
    console.log(`stopped; latents kept in ${latents}`);
  }
  return latents;
}

/** Everything but where the video goes comes from the file. */
async function goOnFrom(file: string): Promise<void> {
  for await (const event of generate({ resume: file, out })) {
    if (event.type === 'start') console.log(`going on after step ${event.firstStep}: ${event.request.prompt}`);
    if (event.type === 'done') console.log(`${event.path}: ${event.frames} frames`);
  }
}
