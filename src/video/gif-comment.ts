/**
 * Comment extensions of GIF89a: put in before the first image, read by walking the blocks.
 * Knows the block structure only; pixels are skipped.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { internalError } from '../errors.ts';

const EXTENSION = 0x21;
const COMMENT = 0xfe;
const APPLICATION = 0xff;
const IMAGE = 0x2c;
const TRAILER = 0x3b;

/**
 * Adds `text` (UTF-8) to a finished GIF in place, before its first image and after the loop extension, where players
 * expect that one. Not at the end: FFmpeg 8 takes a trailing extension for one more packet.
 */
export async function insertGifComment(file: string, text: string): Promise<void> {
  const gif = await readFile(file);
  if (gif.toString('latin1', 0, 6) !== 'GIF89a')
    throw internalError('gif comment', 'the file must be GIF89a', gif.toString('latin1', 0, 6));
  let at = 13 + colourTable(gif[10]);
  if (gif[at] === EXTENSION && gif[at + 1] === APPLICATION) at = subBlocks(gif, at + 2).end;
  const bytes = Buffer.from(text, 'utf8');
  const parts: Buffer[] = [gif.subarray(0, at), Buffer.of(EXTENSION, COMMENT)];
  for (let from = 0; from < bytes.length; from += 255) {
    const block = bytes.subarray(from, from + 255);
    parts.push(Buffer.of(block.length), block);
  }
  parts.push(Buffer.of(0), gif.subarray(at));
  await writeFile(file, Buffer.concat(parts));
}

/** Every comment of a GIF, in order; stops quietly where a file is cut short. */
export async function readGifComments(file: string): Promise<string[]> {
  const gif = await readFile(file);
  const comments: string[] = [];
  let at = 13 + colourTable(gif[10]);
  while (at < gif.length && gif[at] !== TRAILER) {
    if (gif[at] === IMAGE) {
      at += 10 + colourTable(gif[at + 9]) + 1; // descriptor, local palette, LZW code size
      at = subBlocks(gif, at).end;
    } else if (gif[at] === EXTENSION) {
      const isComment = gif[at + 1] === COMMENT;
      const { data, end } = subBlocks(gif, at + 2);
      if (isComment) comments.push(Buffer.concat(data).toString('utf8'));
      at = end;
    } else break;
  }
  return comments;
}

const colourTable = (packed = 0): number => (packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0);

function subBlocks(gif: Buffer, start: number): { data: Buffer[]; end: number } {
  const data: Buffer[] = [];
  let at = start;
  for (let size = gif[at] ?? 0; size > 0; size = gif[at] ?? 0) {
    data.push(gif.subarray(at + 1, at + 1 + size));
    at += size + 1;
  }
  return { data, end: at + 1 };
}
