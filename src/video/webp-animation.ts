/**
 * Animated WebP, one frame at a time: sharp codes each frame, this file places it in the RIFF container
 * (https://developers.google.com/speed/webp/docs/riff_container) with its delay, the loop and the metadata as XMP.
 * Not left to FFmpeg's libwebp_anim, which merges equal neighbours into one frame and so loses the frame count.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import sharp from 'sharp';

const QUALITY = 85;
const HAS_ANIMATION = 0x02;
const HAS_XMP = 0x04;
const KEEP_AND_REPLACE = 0x02; // no blending with the frame before; nothing is disposed
/** Everything before the first frame: RIFF header, VP8X, ANIM. */
const PREAMBLE_BYTES = 12 + 18 + 14;

export type WebpJob = {
  file: string;
  width: number;
  height: number;
  fps: { num: number; den: number };
  /** Put into XMP dc:description. */
  text: string;
};

/** Writes RGB8 `frames` [height, width, 3] as an endless animation; holds one frame at a time. */
export async function writeWebpAnimation(frames: AsyncIterable<Uint8Array>, job: WebpJob): Promise<void> {
  const { width, height, fps } = job;
  const handle = await open(job.file, 'w');
  try {
    let at = PREAMBLE_BYTES;
    let index = 0;
    const append = async (chunk: Buffer): Promise<void> => {
      await writeAll(handle, chunk, at);
      at += chunk.length;
    };
    // Rounding the points in time, not the delays, keeps the length of the whole exact to a millisecond.
    const timeOf = (frame: number): number => Math.round((frame * 1000 * fps.den) / fps.num);
    for await (const rgb of frames) {
      const still = await sharp(rgb, { raw: { width, height, channels: 3 } })
        .webp({ quality: QUALITY, smartSubsample: true })
        .toBuffer();
      const head = Buffer.alloc(16); // x and y stay 0
      head.writeUIntLE(width - 1, 6, 3);
      head.writeUIntLE(height - 1, 9, 3);
      head.writeUIntLE(timeOf(index + 1) - timeOf(index), 12, 3);
      head[15] = KEEP_AND_REPLACE;
      await append(chunk('ANMF', Buffer.concat([head, ...bitstream(still)])));
      index += 1;
    }
    await append(chunk('XMP ', Buffer.from(xmpPacket(job.text), 'utf8')));
    await writeAll(handle, preamble(width, height, at), 0);
  } finally {
    await handle.close();
  }
}

/** The metadata text of an animated WebP, or undefined. */
export async function readWebpText(file: string): Promise<string | undefined> {
  for (const { id, body } of chunks(await readFile(file)))
    if (id === 'XMP ') {
      const found = /<rdf:li xml:lang="x-default">([^<]*)<\/rdf:li>/.exec(body.toString('utf8'));
      if (found?.[1] !== undefined) return unescapeXml(found[1]);
    }
  return undefined;
}

function preamble(width: number, height: number, fileBytes: number): Buffer {
  const canvas = Buffer.alloc(10);
  canvas[0] = HAS_ANIMATION | HAS_XMP;
  canvas.writeUIntLE(width - 1, 4, 3);
  canvas.writeUIntLE(height - 1, 7, 3);
  const animation = Buffer.alloc(6); // transparent background; loop count 0 = for ever
  const riff = Buffer.alloc(12);
  riff.write('RIFF', 0, 'latin1');
  riff.writeUInt32LE(fileBytes - 8, 4);
  riff.write('WEBP', 8, 'latin1');
  return Buffer.concat([riff, chunk('VP8X', canvas), chunk('ANIM', animation)]);
}

function chunk(id: string, body: Buffer): Buffer {
  const padding = body.length % 2;
  const out = Buffer.alloc(8 + body.length + padding);
  out.write(id, 0, 'latin1');
  out.writeUInt32LE(body.length, 4);
  body.copy(out, 8);
  return out;
}

function* chunks(webp: Buffer): Generator<{ id: string; body: Buffer; whole: Buffer }> {
  for (let at = 12; at + 8 <= webp.length; ) {
    const size = webp.readUInt32LE(at + 4);
    const end = at + 8 + size + (size % 2);
    yield {
      id: webp.toString('latin1', at, at + 4),
      body: webp.subarray(at + 8, at + 8 + size),
      whole: webp.subarray(at, end),
    };
    at = end;
  }
}

/** The chunks of a still image that hold its picture. */
const bitstream = (still: Buffer): Buffer[] =>
  [...chunks(still)].filter(({ id }) => id === 'VP8 ' || id === 'VP8L' || id === 'ALPH').map(({ whole }) => whole);

const xmpPacket = (text: string): string =>
  '<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">' +
  '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" ' +
  'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>' +
  `<rdf:li xml:lang="x-default">${escapeXml(text)}</rdf:li>` +
  '</rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>';

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
const unescapeXml = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&gt;', '>').replaceAll('&lt;', '<').replaceAll('&amp;', '&');

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
