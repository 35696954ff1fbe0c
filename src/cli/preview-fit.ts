/**
 * `step-video preview-fit`: gives a model the map from latents to RGB that its previews need.
 */
import { inputError } from '../errors.ts';
import { modelDirectory } from '../model-directory.ts';
import type { Command } from './command.ts';

const DEFAULT_CLIPS = 64;
const MOST_MEASURED = 24;

export const previewFitCommand: Command = {
  name: 'preview-fit',
  usage: 'MODEL [flags]',
  about: "fit the map that --preview needs to a model's VAE, and say how close it comes",
  flags: [
    { name: 'data', kind: 'text', value: 'DIR', about: 'emoji world (default cache/data), or a directory of clips' },
    { name: 'clips', kind: 'number', value: 'N', about: `training clips to fit on (default ${DEFAULT_CLIPS})` },
  ],
  async run({ values: { data = 'cache/data', clips = DEFAULT_CLIPS }, words, world }) {
    const [model, ...rest] = words;
    if (model === undefined || rest.length > 0)
      throw inputError('preview-fit', 'one model must be given', words.join(' ') || undefined);
    if (typeof clips !== 'number' || !Number.isSafeInteger(clips) || clips < 1)
      throw inputError('preview-fit', '--clips must be a whole number of at least 1', clips);
    const directory = modelDirectory(model);
    const { openClipSource } = await import('../data/open-source.ts');
    const { decodeSchema } = await import('../train/config.ts');
    const { fitPreview } = await import('../train/fit-preview.ts');
    const measure = Math.min(clips, MOST_MEASURED);
    const source = await openClipSource(String(data), { decode: decodeSchema.parse({}), captions: false });
    const options = { source, clips, measure, device: 'cpu' } as const;
    const { file, psnr } = await fitPreview(directory, options);
    const [first, later] = [psnr!.first, psnr!.later].map((value) => value.toFixed(1));
    const against = `${measure} held-out clips, averaged to the size of the pictures`;
    world.note(`${first} dB on the first frames of chunks, ${later} dB on the others: ${against}`);
    world.print(file);
    return 0;
  },
};
