/** The hand-over between decoder and encoder: order, back-pressure, and both ends leaving. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { frameQueue } from '../../src/frame-queue.ts';

const frame = (value: number): Uint8Array => Uint8Array.of(value);

it('hands over every frame in order, whatever the capacity and the reader', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.nat(30), fc.scheduler(), async (capacity, count, scheduler) => {
      const queue = frameQueue(capacity);
      const seen: number[] = [];
      const reading = (async () => {
        for await (const [value] of queue.frames) {
          seen.push(value!);
          await scheduler.schedule(Promise.resolve());
        }
      })();
      const writing = (async () => {
        for (let i = 0; i < count; i++) await queue.push(frame(i));
        queue.end();
      })();
      await scheduler.waitFor(Promise.all([reading, writing]));
      expect(seen).toEqual(Array.from({ length: count }, (_, i) => i));
    }),
    { numRuns: 50 },
  );
});

it('holds the writer back at its capacity', async () => {
  const queue = frameQueue(2);
  await queue.push(frame(0));
  await queue.push(frame(1));
  let isIn = false;
  const third = queue.push(frame(2)).then(() => {
    isIn = true;
  });
  await new Promise(setImmediate);
  expect(isIn).toBe(false);
  await queue.frames[Symbol.asyncIterator]().next();
  await third;
  expect(isIn).toBe(true);
});

it.each([
  [
    'a reader that stops',
    async (queue: ReturnType<typeof frameQueue>) => {
      for await (const _ of queue.frames) break;
    },
  ],
  ['a reader that never came', async (queue: ReturnType<typeof frameQueue>) => queue.abandon()],
])('lets the writer go after %s', async (_, leave) => {
  const queue = frameQueue(1);
  await queue.push(frame(0));
  const blocked = queue.push(frame(1));
  await leave(queue);
  await blocked;
  await queue.push(frame(2));
});
