import { describe, expect, it } from 'vitest';
import { renderScene } from '../../src/data/scene.ts';
import { psnr } from '../../src/eval/quality.ts';
import { codedBytes, codeH264, codeLatents } from '../../src/eval/rate-match.ts';
import { centredScene, drawnWorld } from '../data/drawn-world.ts';

describe('codeLatents', () => {
  it('keeps values to half a step, clips at 4, and is small where nothing happens', () => {
    const latents = Float32Array.from({ length: 600 }, (_, i) => Math.sin(i) * 3);
    const coded = codeLatents(latents);
    for (const [i, value] of coded.latents.entries())
      expect(Math.abs(value - latents[i]!)).toBeLessThan(4 / 255 + 1e-6);
    expect([...codeLatents(Float32Array.of(9, -9)).latents]).toEqual([4, -4]);
    expect(coded.bytes).toBeGreaterThan(100);
    expect(codeLatents(new Float32Array(600)).bytes).toBeLessThan(30);
  });
});

describe('codeH264', () => {
  const pixels = renderScene(drawnWorld(), centredScene({ motion: 'spin', subject: 'winker' }), { frames: 17 });

  it('takes no more bytes than it may, and looks better with more', async () => {
    const [little, much] = [await codeH264(pixels, 1500, 12), await codeH264(pixels, 6000, 12)];
    expect(little.bytes).toBeLessThanOrEqual(1500);
    expect(much.bytes).toBeLessThanOrEqual(6000);
    expect(much.bytes).toBeGreaterThan(little.bytes);
    expect(much.crf).toBeLessThan(little.crf);
    expect(little.pixels.length).toBe(pixels.length);
    expect(psnr(pixels, much.pixels)).toBeGreaterThan(psnr(pixels, little.pixels));
    expect(psnr(pixels, little.pixels)).toBeGreaterThan(20);
  });
});

it('coded bytes leave out supplemental units', () => {
  const unit = (type: number, length: number) => [0, 0, 1, type, ...new Array<number>(length).fill(7)];
  expect(codedBytes(Uint8Array.from([0, ...unit(7, 5), ...unit(6, 100), ...unit(5, 20)]))).toBe(9 + 24);
});
