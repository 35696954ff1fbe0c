/**
 * Recorded training of the Video-VAE: loss, its parts, the reconstruction, and the gradient for every weight.
 */
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { floats, type Value } from '../runtime/value.ts';
import { add, grad, input, mul, type Tensor } from '../tensor/index.ts';
import { l1 } from '../train/vae-loss.ts';
import { decoder } from '../vae/decoder.ts';
import { encoder } from '../vae/encoder.ts';
import { klDivergence, samplePosterior } from '../vae/posterior.ts';
import { storedWeights } from '../weights/stored-weights.ts';
import { type Comparison, compareSampled, toleranceOf } from './compare.ts';
import { pixelsOf } from './vae.ts';
import { recordedNumber, sampledRecord, withRecordedSet } from './vectors.ts';
import { openSetComponent } from './weights.ts';

/** Everything recorded in set `name` of directory `dir`. */
export function compareVaeTraining(dir: string, name: string): Promise<Comparison[]> {
  return withRecordedSet(dir, name, async (recorded) => {
    const { config, source } = await openSetComponent(recorded, 'vae');
    const feeds = { pixels: await pixelsOf(recorded, 'clip'), noise: await recorded.read('noise') };
    const pixels = input('pixels', feeds.pixels.shape);
    const scope = new Scope({ training: true });
    const moments = encoder(scope.at('encoder'), config, 'primitive')(pixels);
    const latents = samplePosterior(moments, input('noise', feeds.noise.shape));
    const reconstruction = decoder(scope.at('decoder'), config, { form: 'primitive' })(latents);
    const parts = { l1: l1(reconstruction, pixels), kl: klDivergence(moments) };
    const loss = add(parts.l1, mul(parts.kl, recordedNumber(recorded, '', /([\d.]+e-?\d+|[\d.]+) ?\* ?KL/, 1e-6)));
    const gradients = grad(loss, [...scope.tensors.values()]);
    const outputs: Record<string, Tensor> = { loss, ...parts, reconstruction };
    [...scope.tensors.keys()].forEach((weight, i) => {
      outputs[`grad.${weight}`] = gradients[i] as Tensor;
    });
    const graph = await compile(outputs, { device: 'cpu', threads: 1, weights: await storedWeights(source) });
    const results: Record<string, Value> = await graph.run(feeds);
    await graph.dispose();

    const comparisons: Comparison[] = [];
    for (const [tensor, value] of Object.entries(results)) {
      const record = await sampledRecord(recorded, tensor);
      const { tolerance } = compareSampled(tensor, floats(value), record);
      // Softmax ignores the key's bias: its gradient is rounding, of the size that the query's may have.
      const query = floats(results[tensor.replace(/\.k\.conv\.bias$/, '.q.conv.bias')]);
      const largest = query.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const isKey = tensor.endsWith('.k.conv.bias');
      const allowed = isKey ? Math.max(tolerance, toleranceOf(largest, undefined)) : tolerance;
      comparisons.push(compareSampled(tensor, floats(value), record, allowed));
    }
    return comparisons;
  });
}
