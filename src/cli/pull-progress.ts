/**
 * Progress of a pull for the eye: on a terminal a bar for each file under way and one for all, plain lines elsewhere.
 * Knows events; does not print results or errors.
 */
import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import { bytesInWords } from '../hub/disk-space.ts';
import type { PullEvent } from '../pull.ts';
import type { World } from './command.ts';
import { wait } from './progress.ts';

export type PullProgress = { show(event: PullEvent): void; stop(): void };

export function pullProgress(world: World): PullProgress {
  const total = tally();
  const view = world.terminal ? bars(world.terminal) : lines(world);
  return {
    show(event) {
      if (event.type === 'start') {
        const { files, repository, revision, hub, missing } = event;
        const there = missing === 0 ? 'all there' : `${bytesInWords(missing)} to fetch`;
        world.note(`${repository} at ${revision.slice(0, 12)} from ${hub}: ${files.length} files, ${there}`);
      }
      view.show(event, total.count(event));
    },
    stop: view.stop,
  };
}

/** Bytes after which the rate of a run is known. */
const ENOUGH = 16e6;

/** Bytes of all files, and how long those that are missing will take at the rate of this run. */
type Total = { received: number; size: number; left: string };

function tally(): { count(event: PullEvent): Total } {
  const received = new Map<string, number>();
  const began = Date.now();
  let size = 0;
  let before = 0;
  const sum = (): number => [...received.values()].reduce((a, b) => a + b, 0);
  return {
    count(event) {
      if (event.type === 'start') {
        for (const file of event.files) received.set(file.path, file.received);
        size = event.files.reduce((bytes, file) => bytes + file.size, 0);
        before = sum();
      } else received.set(event.path, 'received' in event ? event.received : event.size);
      const now = sum();
      const seconds = (Date.now() - began) / 1000;
      // The small files come first and say nothing of the rate.
      const isTelling = now - before > Math.min(ENOUGH, (size - before) / 100);
      const left = isTelling && now < size ? `${wait(((size - now) * seconds) / (now - before))} left` : '';
      return { received: now, size, left };
    },
  };
}

type View = { show(event: PullEvent, total: Total): void; stop(): void };

function bars(stream: NodeJS.WriteStream): View {
  const format = '{bar} {percentage}% {sizes} {name}';
  const options = { format, stream, hideCursor: true, barsize: 24, fps: 10, clearOnComplete: true };
  const all = new MultiBar(options, Presets.shades_classic);
  const open = new Map<string, SingleBar>();
  let sum: SingleBar | undefined;
  const state = (received: number, size: number, name: string) => ({
    sizes: `${bytesInWords(received)}/${bytesInWords(size)}`,
    name,
  });
  const update = (path: string, received: number, size: number, note = ''): void => {
    const name = `${path}${note}`;
    const bar = open.get(path) ?? all.create(size, received, state(received, size, name));
    open.set(path, bar);
    bar.update(received, state(received, size, name));
  };
  const remove = (path: string): void => {
    const bar = open.get(path);
    if (bar) all.remove(bar);
    open.delete(path);
  };
  return {
    show(event, { received, size, left }) {
      const shown = state(received, size, `in all ${left}`.trimEnd());
      sum ??= all.create(1, 0, shown);
      sum.setTotal(Math.max(1, size));
      sum.update(received, shown);
      switch (event.type) {
        case 'start':
          for (const path of open.keys()) remove(path);
          break;
        case 'progress':
          update(event.path, event.received, event.size);
          break;
        case 'wait':
          update(event.path, event.received, event.size, ' (by another process)');
          break;
        case 'verify':
          update(event.path, event.size, event.size, ' (checking)');
          break;
        case 'file':
          remove(event.path);
          break;
        default:
          event satisfies never;
      }
    },
    stop: () => all.stop(),
  };
}

function lines(world: World): View {
  let tenth: number | undefined;
  const waited = new Set<string>();
  return {
    show(event, { received, size, left }) {
      if (event.type === 'file') world.note(`${event.path}: ${bytesInWords(event.size)}, ${checkInWords(event.check)}`);
      if (event.type === 'wait' && !waited.has(event.path)) world.note(`${event.path}: another process fetches it`);
      if (event.type === 'wait') waited.add(event.path);
      if (event.type === 'verify' && tenth === undefined) world.note(`${event.path}: is there, being checked`);
      const now = size === 0 ? 10 : Math.floor((10 * received) / size);
      if (event.type === 'start') tenth = now;
      if (tenth === undefined || now <= tenth) return;
      tenth = now;
      world.note(`${now * 10} % of ${bytesInWords(size)}${left === '' ? '' : `, ${left}`}`);
    },
    stop() {},
  };
}

const checkInWords = (check: string): string => (check === 'another process' ? `by ${check}` : `${check} as listed`);
