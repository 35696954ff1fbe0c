import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backgroundAt, COLOUR_NAMES, COLOURS, isScenery, painter } from '../../src/data/background.ts';
import { CAMERAS, seen, viewAt } from '../../src/data/camera.ts';
import { clipSampler } from '../../src/data/clips.ts';
import { MOTIONS, poseAt } from '../../src/data/motion.ts';
import { randomStream } from '../../src/data/random.ts';
import { overhang, sampleScene } from '../../src/data/sample.ts';
import { ASPECTS, type Aspect, extentOf, PLACES, renderScene } from '../../src/data/scene.ts';
import { SCENERIES } from '../../src/data/scenery.ts';
import { centredScene, drawnWorld } from './drawn-world.ts';

const world = drawnWorld();
const pixel = (clip: Uint8Array, side: number, x: number, y: number) => [
  ...clip.subarray((y * side + x) * 3, (y * side + x) * 3 + 3),
];

describe('renderScene', () => {
  it('draws the subject in the middle, the background around it, and the same bytes every time', () => {
    const clip = renderScene(world, centredScene({}), { frames: 2 });
    expect(clip).toHaveLength(2 * 128 * 128 * 3);
    expect(pixel(clip, 128, 2, 2)).toEqual([...COLOURS.blue]);
    expect(pixel(clip, 128, 80, 64)).toEqual([90, 220, 60]);
    expect(pixel(clip, 128, 44, 64)).toEqual([20, 60, 20]);
    expect(renderScene(world, centredScene({}), { frames: 2 })).toEqual(clip);
  });

  it('has soft edges: values between subject and background exist', () => {
    const clip = renderScene(world, centredScene({ start: { x: 64.4, y: 64.3, width: 70, angle: 0.4 } }), {
      frames: 1,
    });
    const blues = new Set<number>();
    for (let i = 2; i < clip.length; i += 3) blues.add(clip[i]!);
    expect(blues.size).toBeGreaterThan(20);
  });

  it('blends vertical gradients from the top colour to the bottom colour', () => {
    const clip = renderScene(world, centredScene({ background: 'red>white' }), { frames: 1 });
    expect(pixel(clip, 128, 0, 0)).toEqual(backgroundAt('red>white', 0.5 / 128).map(Math.round));
    expect(pixel(clip, 128, 127, 127)).toEqual(backgroundAt('red>white', 127.5 / 128).map(Math.round));
    expect(pixel(clip, 128, 0, 64)).toEqual(backgroundAt('red>white', 64.5 / 128).map(Math.round));
  });

  it('turns clockwise', () => {
    // The box's dark left part is on top after a quarter turn.
    const clip = renderScene(world, centredScene({ start: { x: 64, y: 64, width: 76, angle: Math.PI / 2 } }), {
      frames: 1,
    });
    expect(pixel(clip, 128, 64, 44)).toEqual([20, 60, 20]);
    expect(pixel(clip, 128, 64, 80)).toEqual([90, 220, 60]);
  });

  it('draws the same window, frame and prefix as the whole clip has there', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 64 }), fc.integer({ min: 0, max: 10 }), (seed, corner, first) => {
        const scene = sampleScene(randomStream(seed), world);
        const whole = renderScene(world, scene, { frames: first + 1 });
        const part = renderScene(world, scene, {
          frames: 1,
          first,
          window: { x: corner, y: 64 - corner, width: 64, height: 64 },
        });
        for (let y = 0; y < 64; y += 7) {
          const start = ((first * 128 + 64 - corner + y) * 128 + corner) * 3;
          expect(part.subarray(y * 64 * 3, (y + 1) * 64 * 3)).toEqual(whole.subarray(start, start + 64 * 3));
        }
      }),
      { numRuns: 25 },
    );
  });

  it('rejects an unknown subject or colour by name', () => {
    expect(() => renderScene(world, centredScene({ subject: 'dragon' }), { frames: 1 })).toThrow(
      /subject must be one of disk.*got dragon/,
    );
    expect(() => renderScene(world, centredScene({ background: 'mauve' as 'blue' }), { frames: 1 })).toThrow(
      /must be one of.*meadow.*got mauve/,
    );
  });
});

describe('cameras', () => {
  it('a pan moves the scenery and the subject alike, a zoom enlarges both about the middle', () => {
    const still = { background: 'meadow', start: { x: 64, y: 64, width: 40, angle: 0 } } as const;
    const [before, after] = [0, 5].map((first) =>
      renderScene(world, centredScene({ ...still, camera: 'pan-left' }), { frames: 1, first }),
    ) as [Uint8Array, Uint8Array];
    // Five frames of 1.2 units: six pixels to the right.
    for (const [x, y] of [
      [20, 20],
      [60, 64],
      [90, 100],
    ] as const)
      expect(pixel(after, 128, x + 6, y)).toEqual(pixel(before, 128, x, y));
    const extent = extentOf('square');
    const pose = { x: 64, y: 64, width: 40, angle: 0 };
    expect(seen(pose, viewAt('zoom-in', 33), extent)).toEqual({ ...pose, width: expect.closeTo(60, 6) });
    expect(seen({ ...pose, x: 74 }, viewAt('zoom-out', 33), extent).x).toBeCloseTo(64 + 10 / 1.5, 6);
  });

  it('move nothing at frame 0', () => {
    const frames = CAMERAS.map((camera) =>
      renderScene(world, centredScene({ background: 'sea', camera }), { frames: 1 }),
    );
    for (const frame of frames) expect(frame).toEqual(frames[0]);
  });
});

describe('pictures of other shapes', () => {
  it('are as large as they say, and show sceneries in full', () => {
    for (const aspect of Object.keys(ASPECTS) as Aspect[]) {
      const { width, height } = ASPECTS[aspect];
      const extent = extentOf(aspect);
      const clip = renderScene(world, centredScene({ background: 'desert', aspect }), { frames: 1 });
      expect(clip).toHaveLength(width * height * 3);
      const at = (x: number, y: number) =>
        painter('desert', extent.height)(
          ((x + 0.5) * 128) / Math.min(width, height),
          ((y + 0.5) * 128) / Math.min(width, height),
        ).map(Math.round);
      expect(pixel(clip, width, width - 1, 0)).toEqual(at(width - 1, 0));
      expect(pixel(clip, width, 0, height - 1)).toEqual(at(0, height - 1));
    }
  });
});

describe('sampleScene', () => {
  it('keeps the subjects inside the picture for the whole clip, up to their own margin', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.constantFrom(1, 17, 34, 68),
        fc.constantFrom<Aspect>('square', 'landscape', 'portrait'),
        (seed, frames, aspect) => {
          const scene = sampleScene(randomStream(seed), world, { frames, split: 'any', aspect });
          const extent = extentOf(aspect);
          // What travels while the camera moves, or grows while it zooms, needs more than there is; so do pairs that travel.
          const overhang = scene.camera !== 'static' ? 60 : frames > 17 ? 24 : scene.second ? 12 : 4.01;
          for (const { start } of scene.second ? [scene, scene.second] : [scene])
            for (let t = 0; t < frames; t++) {
              const pose = seen(poseAt(scene.motion, start, t, scene.pace), viewAt(scene.camera, t), extent);
              expect(Math.abs(pose.x - extent.width / 2) + pose.width / 2).toBeLessThanOrEqual(
                extent.width / 2 + overhang,
              );
              expect(Math.abs(pose.y - extent.height / 2) + pose.width / 2).toBeLessThanOrEqual(
                extent.height / 2 + overhang,
              );
            }
        },
      ),
      // A pair under a zoom, whose second subject once began too far away.
      { examples: [[452010952, 68, 'square']], numRuns: 300 },
    );
  });

  it('leaves out what leaves the picture when asked to', () => {
    const leaves = (inside: boolean): number =>
      Array.from({ length: 200 }, (_, i) =>
        overhang(sampleScene(randomStream(4, i), world, { frames: 34, inside, mix: { sceneries: 0.5 } }), 34),
      ).filter((beyond) => beyond > 4.01).length;
    expect(leaves(false)).toBeGreaterThan(5);
    expect(leaves(true)).toBe(0);
  });

  it('gives centred scenes one start for each size and motion: on the grid, with the first picture of the animation', () => {
    const starts = new Map<string, string>();
    for (let i = 0; i < 600; i++) {
      const options = { frames: 34, centred: true, inside: true, aspect: i % 2 ? 'square' : 'landscape' } as const;
      const scene = sampleScene(randomStream(4, i), world, options);
      const { width, height } = extentOf(scene.aspect);
      const { start, phase, second, size, motion, speed, camera, aspect } = scene;
      const [across, down] = [(start.x - width / 2) / 16, (start.y - height / 2) / 16];
      expect([across, down].map(Number.isInteger)).toEqual([true, true]);
      expect([phase, second?.phase ?? 0]).toEqual([0, 0]);
      expect(overhang(scene, 34)).toBeLessThanOrEqual(4.01);
      const kind = [size, motion, speed, camera, aspect, second?.place].join();
      expect(starts.get(kind) ?? `${across} ${down}`).toBe(`${across} ${down}`);
      starts.set(kind, `${across} ${down}`);
    }
    expect(new Set(starts.values()).size).toBeGreaterThan(5);
    const stills = clipSampler({ world, seed: 4, frames: 17, stills: true, scenes: { centred: true } });
    for (const at of [0, 1, 2])
      expect(stills.clip(at).pixels).toEqual(renderScene(world, stills.scene(at), { frames: 1 }));
  });

  it('puts a second subject where it says', () => {
    let pairs = 0;
    for (let i = 0; i < 200; i++) {
      const { start, second, subject } = sampleScene(randomStream(8, i), world, { mix: { pairs: 1 } });
      if (!second) continue;
      pairs++;
      const [dx, dy] = [second.start.x - start.x, second.start.y - start.y];
      const place = Math.abs(dx) > Math.abs(dy) ? (dx < 0 ? 'left' : 'right') : dy < 0 ? 'above' : 'below';
      expect(place).toBe(second.place);
      expect(second.subject).not.toBe(subject);
    }
    expect(pairs).toBeGreaterThan(100);
  });

  it('reaches every subject, colour, motion and size', () => {
    const parts = new Set<string>();
    for (let i = 0; i < 1500; i++) {
      const scene = sampleScene(randomStream(3, i), world);
      const { subject, background, motion, size, speed, camera } = scene;
      for (const part of [subject, background, motion, size, speed, camera, `${scene.second?.place}`]) parts.add(part);
    }
    const trained = world.subjects.filter((subject) => subject.role === 'trained').map((subject) => subject.id);
    for (const part of [
      ...[...trained, ...COLOUR_NAMES, ...SCENERIES, ...MOTIONS, ...CAMERAS, ...PLACES],
      ...['small', 'medium', 'large', 'slow', 'normal', 'fast'],
    ])
      expect(parts).toContain(part);
    expect(parts).not.toContain('wheel');
  });

  it('keeps to the motions that it is given, two subjects to those that pairs can have', () => {
    const motions = ['spin', 'circle'] as const;
    const seen = { one: new Set<string>(), two: new Set<string>() };
    for (let i = 0; i < 200; i++) {
      const { motion, second } = sampleScene(randomStream(6, i), world, { motions, mix: { pairs: 0.5 } });
      seen[second ? 'two' : 'one'].add(motion);
    }
    expect([...seen.one].sort()).toEqual(['circle', 'spin']);
    expect([...seen.two]).toEqual(['spin']);
    expect(sampleScene(randomStream(6), world, { motions: ['circle'], mix: { pairs: 1 } }).second).toBeUndefined();
  });
});

describe('clipSampler', () => {
  it('is a pure function of seed and index, and resumes from its state', () => {
    const options = { world, seed: 11, frames: 5, scale: 0.5 };
    const first = clipSampler(options);
    const clips = [first.next().value, first.next().value, first.next().value];
    const second = clipSampler(options);
    second.restore(2);
    expect(second.next().value).toEqual(clips[2]);
    expect(second.state()).toBe(3);
    expect(second.clip(0)).toEqual(clips[0]);
    expect(second.scene(1)).toEqual(clips[1]!.scene);
    expect(clipSampler({ ...options, seed: 12 }).clip(0)).not.toEqual(clips[0]);
  });

  it('cuts crops that show the subject, and stills of one frame', () => {
    const sampler = clipSampler({ world, seed: 1, frames: 17, crop: 64, stills: true });
    for (let i = 0; i < 60; i++) {
      const { pixels, frames, width, height, scene } = sampler.next().value;
      expect([frames, width, height, pixels.length]).toEqual([1, 64, 64, 64 * 64 * 3]);
      if (isScenery(scene.background)) continue;
      const top = backgroundAt(scene.background, 0);
      let other = 0;
      for (let p = 0; p < pixels.length; p += 3)
        if (Math.abs(pixels[p]! - top[0]) + Math.abs(pixels[p + 2]! - top[2]) > 12) other++;
      expect(other, `clip ${i} shows ${scene.subject}`).toBeGreaterThan(100);
    }
  });

  it('takes subjects and motions in turn when balanced', () => {
    const sampler = clipSampler({ world, seed: 5, frames: 17, balanced: true });
    const counts = new Map<string, number>();
    for (let i = 0; i < 2 * 7 * MOTIONS.length; i++) {
      const { subject, motion } = sampler.scene(i);
      counts.set(`${subject} ${motion}`, (counts.get(`${subject} ${motion}`) ?? 0) + 1);
    }
    expect(counts.size).toBe(7 * MOTIONS.length);
    expect(new Set(counts.values())).toEqual(new Set([2]));
    const first = Array.from({ length: MOTIONS.length }, (_, i) => sampler.scene(i).motion);
    expect(new Set(first).size).toBeGreaterThan(6); // a few clips, as for validation, do not share one motion
    const turning = clipSampler({ world, seed: 5, frames: 17, balanced: true, scenes: { motions: ['spin', 'left'] } });
    const [one, two] = [0, 1].map((i) => turning.scene(i).motion).sort();
    expect([one, two]).toEqual(['left', 'spin']);
  });

  it('refuses a crop larger than the picture', () => {
    expect(() => clipSampler({ world, seed: 1, frames: 1, scale: 0.5, crop: 65 })).toThrow(
      /crop must be at most 64, got 65/,
    );
  });
});
