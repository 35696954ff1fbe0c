/**
 * `step-video quantize`: a checkpoint directory whose text encoders and denoiser are stored in 8 or 4 bits.
 */
import { inputError } from '../errors.ts';
import { modelDirectory } from '../model-directory.ts';
import { SCHEMES } from '../weights/quantization.ts';
import {
  type QuantizedSize,
  type QuantizeProgress,
  quantizeCheckpoint,
  quantizedSizes,
} from '../weights/quantize-checkpoint.ts';
import type { Command, World } from './command.ts';

export const quantizeCommand: Command = {
  name: 'quantize',
  usage: 'DIR --to int8|int4 [flags]',
  about: 'write a checkpoint with 8- or 4-bit weights, which every command takes as --model',
  flags: [
    {
      name: 'to',
      kind: 'text',
      value: SCHEMES.join('|'),
      about: 'int8 is nearly exact and fastest, int4 the smallest',
    },
    { name: 'out', kind: 'text', value: 'DIR', about: 'the new directory (default DIR-int8 or DIR-int4)' },
    { name: 'dry-run', kind: 'switch', value: '', about: 'only say how large it would be' },
    { name: 'json', kind: 'switch', value: '', about: 'the result as one JSON line' },
  ],
  async run({ values, words, world }) {
    const [word, ...rest] = words;
    if (word === undefined || rest.length > 0)
      throw inputError('quantize', 'one directory must be given', words.join(' ') || undefined);
    const to = SCHEMES.find((scheme) => scheme === values.to);
    if (to === undefined) throw inputError('quantize', `--to must be one of ${SCHEMES.join(', ')}`, values.to, 'int8');
    const directory = modelDirectory(word);
    if (values['dry-run']) {
      const sizes = await quantizedSizes(directory, to);
      world.print(values.json ? JSON.stringify(sizes) : sizes.map(sizeLine).join('\n'));
      return 0;
    }
    const result = await quantizeCheckpoint(directory, {
      to,
      out: values.out === undefined ? undefined : String(values.out),
      signal: world.signal,
      onProgress: progress(world),
    });
    if (values.json) world.print(JSON.stringify(result));
    else {
      for (const component of result.components)
        world.note(`${sizeLine(component)}${component.kept > 0 ? `, ${component.kept} shards kept` : ''}`);
      world.note(`${result.linked.length} weight files linked, ${result.copied.length} files copied`);
      world.print(result.out);
    }
    return 0;
  },
};

const sizeLine = ({ component, sourceBytes, bytes }: QuantizedSize): string =>
  `${component}: ${megabytes(sourceBytes)} → ${megabytes(bytes)}`;

const megabytes = (bytes: number): string =>
  `${(bytes / 1e6).toLocaleString('en-US', { maximumFractionDigits: 1 })} MB`;

/** A line every tenth of a component. */
function progress(world: World): (progress: QuantizeProgress) => void {
  let shown = '';
  const started = performance.now();
  return ({ component, done, total }) => {
    const line = `${component}: ${Math.floor((10 * done) / total) * 10} %`;
    if (line === shown) return;
    world.note(`${line}, ${((performance.now() - started) / 1e3).toFixed(0)} s`);
    shown = line;
  };
}
