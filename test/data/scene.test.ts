import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backgroundAt, COLOUR_NAMES, COLOURS } from '../../src/data/background.ts';
import { clipSampler } from '../../src/data/clips.ts';
import { MOTIONS, poseAt } from '../../src/data/motion.ts';
import { randomStream } from '../../src/data/random.ts';
import { sampleScene } from '../../src/data/sample.ts';
import { renderScene, type Scene, SIZE_WIDTHS } from '../../src/data/scene.ts';
import { drawnWorld } from './drawn-world.ts';

const world = drawnWorld();
const centred = (part: Partial<Scene>): Scene => ({
  subject: 'box',
  background: 'blue',
  motion: 'still',
  size: 'large',
  start: { x: 64, y: 64, width: SIZE_WIDTHS.large, angle: 0 },
  phase: 0,
  ...part,
});
const pixel = (clip: Uint8Array, side: number, x: number, y: number) => [
  ...clip.subarray((y * side + x) * 3, (y * side + x) * 3 + 3),
];

describe('renderScene', () => {
  it('draws the subject in the middle, the background around it, and the same bytes every time', () => {
    const clip = renderScene(world, centred({}), { frames: 2 });
    expect(clip).toHaveLength(2 * 128 * 128 * 3);
    expect(pixel(clip, 128, 2, 2)).toEqual([...COLOURS.blue]);
    expect(pixel(clip, 128, 80, 64)).toEqual([90, 220, 60]);
    expect(pixel(clip, 128, 44, 64)).toEqual([20, 60, 20]);
    expect(renderScene(world, centred({}), { frames: 2 })).toEqual(clip);
  });

  it('has soft edges: values between subject and background exist', () => {
    const clip = renderScene(world, centred({ start: { x: 64.4, y: 64.3, width: 70, angle: 0.4 } }), { frames: 1 });
    const blues = new Set<number>();
    for (let i = 2; i < clip.length; i += 3) blues.add(clip[i]!);
    expect(blues.size).toBeGreaterThan(20);
  });

  it('blends vertical gradients from the top colour to the bottom colour', () => {
    const clip = renderScene(world, centred({ background: 'red>white' }), { frames: 1 });
    expect(pixel(clip, 128, 0, 0)).toEqual([...COLOURS.red]);
    expect(pixel(clip, 128, 127, 127)).toEqual([...COLOURS.white]);
    expect(pixel(clip, 128, 0, 64)).toEqual(backgroundAt('red>white', 64 / 127).map(Math.round));
  });

  it('turns clockwise', () => {
    // The box's dark left part is on top after a quarter turn.
    const clip = renderScene(world, centred({ start: { x: 64, y: 64, width: 76, angle: Math.PI / 2 } }), { frames: 1 });
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
    expect(() => renderScene(world, centred({ subject: 'dragon' }), { frames: 1 })).toThrow(
      /subject must be one of disk.*got dragon/,
    );
    expect(() => renderScene(world, centred({ background: 'mauve' as 'blue' }), { frames: 1 })).toThrow(
      /colour must be one of.*got mauve/,
    );
  });
});

describe('sampleScene', () => {
  it('keeps the subject inside the picture for the whole clip, up to its own margin', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(1, 17, 34), (seed, frames) => {
        const scene = sampleScene(randomStream(seed), world, { frames, split: 'any' });
        const travels = frames === 34 && scene.size === 'large';
        for (let t = 0; t < frames; t++) {
          const pose = poseAt(scene.motion, scene.start, t);
          // A large subject that travels for 34 frames, or one that grows all that time, needs a few pixels more.
          const overhang = travels ? 10 : 4.01;
          expect(Math.abs(pose.x - 64) + pose.width / 2).toBeLessThanOrEqual(64 + overhang);
          expect(Math.abs(pose.y - 64) + pose.width / 2).toBeLessThanOrEqual(64 + overhang);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('reaches every subject, colour, motion and size', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 1500; i++) {
      const { subject, background, motion, size } = sampleScene(randomStream(3, i), world);
      for (const part of [subject, background, motion, size]) seen.add(part);
    }
    const trained = world.subjects.filter((subject) => subject.role === 'trained').map((subject) => subject.id);
    for (const part of [...trained, ...COLOUR_NAMES, ...MOTIONS, 'small', 'medium', 'large'])
      expect(seen).toContain(part);
    expect(seen).not.toContain('wheel');
  });
});

describe('clipSampler', () => {
  it('is a pure function of seed and index, and resumes from its state', () => {
    const options = { world, seed: 11, frames: 5, size: 64 };
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
      const top = backgroundAt(scene.background, 0);
      let other = 0;
      for (let p = 0; p < pixels.length; p += 3)
        if (Math.abs(pixels[p]! - top[0]) + Math.abs(pixels[p + 2]! - top[2]) > 12) other++;
      expect(other, `clip ${i} shows ${scene.subject}`).toBeGreaterThan(100);
    }
  });

  it('refuses a crop larger than the picture', () => {
    expect(() => clipSampler({ world, seed: 1, frames: 1, size: 64, crop: 65 })).toThrow(
      /crop must be at most 64, got 65/,
    );
  });
});
