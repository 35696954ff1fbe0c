/**
 * Writes a checkpoint of the official layout, names, shapes and dtypes, whose weights are holes of sparse files: 100 GB that
 * take about a megabyte of disk. For memory and streaming at full size where nobody has the real one.
 *
 *   npm run synthetic -- DIR [--layers N] [--scale X]
 *
 * `--layers` takes that many layers of the transformer and of both text encoders. `--scale` writes normal values of that
 * deviation, and then takes the disk.
 */
import { parseArgs } from 'node:util';
import { OFFICIAL, writeSynthetic } from '../bench/parts/synthetic-checkpoint.ts';
import { inputError } from '../src/errors.ts';

const { values, positionals } = parseArgs({
  options: { layers: { type: 'string' }, scale: { type: 'string' } },
  allowPositionals: true,
});
const [directory, ...rest] = positionals;
if (directory === undefined || rest.length > 0)
  throw inputError('synthetic', 'one directory must be given', positionals.join(' ') || undefined);
const number = (flag: 'layers' | 'scale', valid: (x: number) => boolean): number | undefined => {
  const given = values[flag] === undefined ? undefined : Number(values[flag]);
  if (given !== undefined && !valid(given))
    throw inputError('synthetic', `--${flag} must be a positive number`, values[flag]);
  return given;
};
const layers = number('layers', (x) => Number.isInteger(x) && x > 0);
const scale = number('scale', (x) => x > 0);
const configs =
  layers === undefined
    ? OFFICIAL
    : {
        ...OFFICIAL,
        transformer: { ...OFFICIAL.transformer, num_layers: layers },
        step_llm: { ...OFFICIAL.step_llm, num_layers: layers },
        hunyuan_clip: { ...OFFICIAL.hunyuan_clip, num_hidden_layers: layers },
      };
const bytes = await writeSynthetic(directory, { configs, scale });
console.log(`${directory}: ${(bytes / 1e9).toFixed(1)} GB of weights`);
