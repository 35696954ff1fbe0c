/**
 * Opens the data that a config or a flag names: a built emoji world, or a directory of clips.
 */
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { ClipSource } from './clip-source.ts';
import { emojiSource } from './emoji-source.ts';
import { type FolderOptions, folderSource } from './folder-source.ts';
import { loadWorld } from './world.ts';

/** Whether `directory` is there and is no emoji world. */
export const isClipFolder = (directory: string): boolean =>
  statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true &&
  !existsSync(path.join(directory, 'world.json'));

/** @throws data error where there is neither. */
export const openClipSource = async (directory: string, options: FolderOptions): Promise<ClipSource> =>
  isClipFolder(directory) ? folderSource(directory, options) : emojiSource(await loadWorld(directory));
