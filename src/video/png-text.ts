/**
 * UTF-8 text inside PNG files (iTXt chunks): put in after the header, read back by keyword.
 * Knows chunks only; does not decode pixels.
 */
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

const SIGNATURE_BYTES = 8;
const HEADER_END = SIGNATURE_BYTES + 25; // IHDR always comes first and has 13 bytes of body

/** A copy of `png` with one iTXt chunk for each entry; keywords are Latin-1, at most 79 characters. */
export function withPngText(png: Buffer, texts: Record<string, string>): Buffer {
  const chunks = Object.entries(texts).map(([keyword, text]) => {
    // keyword, NUL, not compressed, method 0, no language, no translated keyword
    const body = Buffer.concat([Buffer.from(`${keyword}\0\0\0\0\0`, 'latin1'), Buffer.from(text, 'utf8')]);
    const chunk = Buffer.alloc(12 + body.length);
    chunk.writeUInt32BE(body.length, 0);
    chunk.write('iTXt', 4, 'latin1');
    body.copy(chunk, 8);
    chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + body.length)), 8 + body.length);
    return chunk;
  });
  return Buffer.concat([png.subarray(0, HEADER_END), ...chunks, png.subarray(HEADER_END)]);
}

/** The iTXt entries before the picture data; empty for a file that is no PNG. */
export async function readPngText(file: string): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  const handle = await open(file, 'r');
  try {
    const read = async (at: number, length: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
      return buffer.subarray(0, bytesRead);
    };
    if ((await read(0, SIGNATURE_BYTES)).toString('latin1') !== '\x89PNG\r\n\x1a\n') return texts;
    for (let at = SIGNATURE_BYTES; ; ) {
      const head = await read(at, 8);
      const type = head.toString('latin1', 4, 8);
      if (head.length < 8 || type === 'IDAT' || type === 'IEND') return texts;
      const length = head.readUInt32BE(0);
      if (type === 'iTXt' && length < 1 << 24) {
        const body = await read(at + 8, length);
        const keywordEnd = body.indexOf(0);
        const languageEnd = body.indexOf(0, keywordEnd + 3);
        const textStart = body.indexOf(0, languageEnd + 1) + 1;
        if (body[keywordEnd + 1] === 0)
          texts[body.toString('latin1', 0, keywordEnd)] = body.toString('utf8', textStart);
      }
      at += 12 + length;
    }
  } finally {
    await handle.close();
  }
}
