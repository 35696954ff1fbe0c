/**
 * Progress of a generation for the eye: a bar a stage on a terminal, plain lines elsewhere.
 * Knows events; does not print results or errors.
 */
import { Presets, SingleBar } from 'cli-progress';
import type { GenerateEvent } from '../generate.ts';
import type { World } from './command.ts';

/** Sees every event; `stop` leaves the terminal clean, whatever happened. */
export type Progress = { show(event: GenerateEvent): void; stop(): void };

export function progressFor(world: World): Progress {
  return world.terminal ? bars(world, world.terminal) : lines(world);
}

function bars(world: World, stream: NodeJS.WriteStream): Progress {
  let bar: SingleBar | undefined;
  let current = '';
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const show = (stage: string, done: number, total: number, note = ''): void => {
    if (stage !== current || !bar) {
      stop();
      const format = `${stage.padEnd(8)} {bar} {value}/{total} {note}`;
      bar = new SingleBar({ format, stream, hideCursor: true, barsize: 30, fps: 20 }, Presets.shades_classic);
      bar.start(total, done, { note });
      current = stage;
    } else bar.update(done, { note });
    if (done >= total) stop();
  };
  let steps = { first: 0, total: 1 };
  return {
    show(event) {
      switch (event.type) {
        case 'start':
          warn(world, event);
          steps = { first: event.firstStep, total: event.request.steps };
          if (event.firstStep < event.request.steps) show('text', 0, 1);
          break;
        case 'text':
          show('text', 1, 1, `${event.seconds.toFixed(1)} s`);
          show('denoise', steps.first, steps.total);
          break;
        case 'step':
          show('denoise', event.step, event.steps, event.step < event.steps ? `${wait(event.etaSeconds)} left` : '');
          break;
        case 'frame':
          show('decode', event.index + 1, event.frames);
          break;
        case 'retry':
          stop();
          world.note(retryLine(event));
          break;
        case 'preview':
          if (event.failure !== undefined) {
            stop();
            world.note(previewLine(event));
          }
          break;
        case 'latents':
        case 'done':
          break;
        default:
          event satisfies never;
      }
    },
    stop,
  };
}

function lines(world: World): Progress {
  return {
    show(event) {
      switch (event.type) {
        case 'start':
          warn(world, event);
          break;
        case 'text':
          world.note(`text encoded in ${event.seconds.toFixed(1)} s`);
          break;
        case 'step':
          world.note(`denoise ${event.step}/${event.steps}, ${wait(event.etaSeconds)} left`);
          break;
        case 'frame':
          // A line a chunk: frames of one chunk come at once.
          if ((event.index + 1) % 17 === 0 || event.index + 1 === event.frames) {
            world.note(`decode ${event.index + 1}/${event.frames}`);
          }
          break;
        case 'retry':
          world.note(retryLine(event));
          break;
        case 'preview':
          if (event.path ?? event.failure) world.note(previewLine(event));
          break;
        case 'latents':
        case 'done':
          break;
        default:
          event satisfies never;
      }
    },
    stop() {},
  };
}

const retryLine = ({ tile, frames }: Extract<GenerateEvent, { type: 'retry' }>): string =>
  `memory ran out; decoding goes on in tiles of ${tile.join('x')}, ${frames} frames at a time`;

const previewLine = ({ path, step, failure }: Extract<GenerateEvent, { type: 'preview' }>): string =>
  failure === undefined ? `preview after step ${step} in ${path}` : `no preview after step ${step}: ${failure}`;

function warn(world: World, event: Extract<GenerateEvent, { type: 'start' }>): void {
  const { deviceWarning, previewWarning, unknownWords } = event;
  if (deviceWarning !== undefined) world.note(deviceWarning);
  if (previewWarning !== undefined) world.note(previewWarning);
  if (unknownWords.length > 0) world.note(`the model does not know: ${unknownWords.join(', ')}`);
}

/** Seconds as a person says them: 8 s, 3 min 20 s, 2 h 5 min. */
export function wait(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
