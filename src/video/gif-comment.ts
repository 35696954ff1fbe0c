/**
 * Comment extensions of GIF89a: written before the trailer, read by walking the blocks.
 * Knows the block structure only; pixels are skipped.
 */
import { open, readFile } from 'node:fs/promises';
import { internalError } from '../errors.ts';

const EXTENSION = 0x21;
const COMMENT = 0xfe;
const IMAGE = 0x2c;
const TRAILER = 0x3b;

/** Adds `text` (UTF-8) to a finished GIF in place. */
export async function appendGifComment(file: string, text: string): Promise<void> {
  const bytes = Buffer.from(text, 'utf8');
  const parts: Buffer[] = [Buffer.of(EXTENSION, COMMENT)];
  for (let at = 0; at < bytes.length; at += 255) {
    const block = bytes.subarray(at, at + 255);
    parts.push(Buffer.of(block.length), block);
  }
  parts.push(Buffer.of(0, TRAILER));
  const handle = await open(file, 'r+');
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1);
    await handle.read(last, 0, 1, size - 1);
    if (last[0] !== TRAILER)
      throw internalError('gif comment', 'a finished file must end with the trailer 0x3b', last[0]);
    const tail = Buffer.concat(parts);
    const { bytesWritten } = await handle.write(tail, 0, tail.length, size - 1);
    if (bytesWritten !== tail.length) throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
  } finally {
    await handle.close();
  }
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
