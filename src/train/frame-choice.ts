/**
 * Which frames of a clip a costly loss looks at: every so many, from an offset that moves on with the step, so that over a few
 * steps all have their turn. A function of step and place in the batch alone.
 */
import { int32, type Value } from '../runtime/value.ts';
import { gather, input, reshape, type Tensor } from '../tensor/index.ts';

export interface FrameChoice {
  /** The chosen frames of video [B, T, 3, H, W], as pictures [N, 3, H, W]. */
  pick(video: Tensor): Tensor;
  /** The frames after them; a still is its own successor. */
  pickNext(video: Tensor): Tensor;
  feeds(step: number): Record<string, Value>;
}

/** Chooses among the frames of `batch` clips of `frames`; `name` begins the names of its inputs. */
export function frameChoice(
  name: string,
  { batch, frames, every }: { batch: number; frames: number; every: number },
): FrameChoice {
  const places = Math.max(1, frames - 1);
  const each = Math.max(1, Math.floor(places / every));
  const offsets = places - (each - 1) * every;
  const shape = [batch * each];
  const [ids, nextIds] = [input(`${name}:frames`, shape, 'int32'), input(`${name}:next`, shape, 'int32')];
  const from = (video: Tensor, chosen: Tensor): Tensor =>
    gather(reshape(video, [batch * frames, ...video.shape.slice(2)]), chosen);
  return {
    pick: (video) => from(video, ids),
    pickNext: (video) => from(video, nextIds),
    feeds(step) {
      const chosen = Int32Array.from({ length: batch * each }, (_, i) => {
        const clip = Math.floor(i / each);
        return clip * frames + ((step + clip) % offsets) + (i % each) * every;
      });
      const later = chosen.map((id) => (frames === 1 ? id : id + 1));
      return { [`${name}:frames`]: int32(chosen, shape), [`${name}:next`]: int32(later, shape) };
    },
  };
}
