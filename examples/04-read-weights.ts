/**
 * What is in a checkpoint directory: whether it is complete, what it holds, and the numbers of one tensor. Headers are read
 * first; of the weights themselves only the range that is asked for.
 *
 *   npx tsx examples/04-read-weights.ts [MODEL]
 */
import { modelDirectory, presetOf } from '../src/index.ts';
import { openComponent } from '../src/weights/checkpoint.ts';
import { inspect } from '../src/weights/inspect.ts';

const directory = modelDirectory(process.argv[2]);

const { files, components, totals, complete } = await inspect(directory);
for (const { component, match, error } of components)
  console.log(`${component}: ${error ?? `${match?.matched} of ${match?.expected} tensors`}`);
console.log(`${totals.parameters} parameters in ${totals.files} files, ${complete ? 'complete' : 'not complete'}`);

const largest = files
  .flatMap(({ tensors }) => tensors)
  .sort((a, b) => b.parameters - a.parameters)
  .slice(0, 3);
for (const { name, dtype, shape } of largest) console.log(`${name} ${dtype}[${shape.join(', ')}]`);

const { config, source } = await openComponent(directory, 'transformer');
console.log(`the denoiser has ${config.num_layers} blocks of ${config.num_attention_heads} heads`);
const entry = source.tensors.get('proj_out.weight');
if (entry !== undefined) {
  const values = await source.readFloat32(entry);
  const size = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
  console.log(`${entry.name}: ${values.length} values of about ${size.toFixed(4)}`);
}
await source.close();

const { steps, guidanceScale, frames, height, width } = presetOf(directory);
console.log(`by default ${steps} steps at guidance ${guidanceScale}, ${frames} frames of ${height}x${width}`);
