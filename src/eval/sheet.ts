/**
 * Clips to look at: a row a clip, five frames of it, with what was asked and what the scorer saw. Chooses no clips.
 */
import { contactSheet } from '../video/contact-sheet.ts';
import { CLIP_SIZE, framesOf } from './clip-pixels.ts';

/** `caption` runs under the first four frames, `verdict` stands under the last. */
export type SheetRow = { readonly pixels: Uint8Array; readonly caption: string; readonly verdict: string };

const COLUMNS = 5;

/** Characters that fit under a frame; East Asian ones count twice. */
const LABEL_WIDTH = 19;

/** Writes the rows as one PNG. */
export async function writeSheet(file: string, rows: readonly SheetRow[]): Promise<void> {
  const frames = rows.flatMap(({ pixels }) => {
    const all = framesOf(pixels);
    return Array.from({ length: COLUMNS }, (_, i) => all[Math.round((i * (all.length - 1)) / (COLUMNS - 1))]!);
  });
  const labels = rows.flatMap(({ caption, verdict }) => [...wrapped(caption, COLUMNS - 1), verdict]);
  await contactSheet(frames, { ...CLIP_SIZE, columns: COLUMNS, path: file, labels });
}

const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });

/** `text` in exactly `cells` lines, broken between words; what does not fit stays in the last. */
function wrapped(text: string, cells: number): string[] {
  const lines = [''];
  for (const { segment } of segmenter.segment(text)) {
    const line = lines.at(-1)! + segment;
    if (widthOf(line.trim()) > LABEL_WIDTH && lines.length < cells) lines.push(segment.trimStart());
    else lines[lines.length - 1] = line;
  }
  return [...lines, ...new Array<string>(cells - lines.length).fill('')];
}

const widthOf = (text: string): number =>
  [...text].reduce((sum, character) => sum + (/[\u2e80-\uffff]/.test(character) ? 2 : 1), 0);
