/**
 * The drawn world as `step-video data build` would leave it, for code that takes a directory.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { sha256, spritePath, WORLD_FORMAT, WORLD_FPS, type World } from '../../src/data/world.ts';

/** Writes `world.json` and every sprite into `directory`. */
export function writeWorld(directory: string, world: World): void {
  mkdirSync(path.join(directory, 'sprites'), { recursive: true });
  const subjects = world.subjects.map((subject) => {
    const { pixels } = world.sprite(subject.id);
    writeFileSync(spritePath(directory, subject.codepoint), pixels);
    return { ...subject, sha256: sha256(pixels) };
  });
  const file = { format: WORLD_FORMAT, fps: WORLD_FPS, fingerprint: 'drawn', packages: [], subjects };
  writeFileSync(path.join(directory, 'world.json'), JSON.stringify(file));
}
