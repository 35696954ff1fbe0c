/** Linear layers over quantized files: the same result from bytes, from file ranges and over decoded weights; any batch. */
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { WeightPlan } from '../../src/onnx/model.ts';
import { compile } from '../../src/runtime/compile.ts';
import { quantizeLinears } from '../../src/runtime/quantized-linear.ts';
import { float32, floats } from '../../src/runtime/value.ts';
import { planWeights } from '../../src/runtime/weight-plan.ts';
import {
  add,
  input,
  matmul,
  optimize,
  parameter,
  reachable,
  reshape,
  type Tensor,
  transposeLast,
  verify,
} from '../../src/tensor/index.ts';
import { QUANTIZED_FORMS, quantizationMetadata, SCHEMES } from '../../src/weights/quantization.ts';
import { quantizeInt4, quantizeInt8 } from '../../src/weights/quantize-rows.ts';
import { writeSafetensors } from '../../src/weights/safetensors.ts';
import { storedWeights } from '../../src/weights/stored-weights.ts';
import { openWeights } from '../../src/weights/weight-file.ts';
import { generator } from '../tensor/values.ts';
import { temporaryFolder } from '../weights/temporary.ts';

const folder = temporaryFolder();
const cpu = { device: 'cpu', threads: 1 } as const;
const [rows, columns] = [48, 100];

const random = generator(11);
const noise = (size: number): Float32Array => Float32Array.from({ length: size }, () => 2 * random() - 1);
const weights = noise(rows * columns);
const bias = noise(rows);
const x = noise(6 * columns);

/** Two uses of one weight, one of a plain one. */
function graph(batch: number): Record<'y', Tensor> {
  const [w, b] = [parameter('w', [rows, columns]), parameter('b', [rows])];
  const y = add(matmul(input('x', [batch, 2, columns]), transposeLast(w)), b);
  return { y: add(y, matmul(input('x', [batch, 2, columns]), transposeLast(w))) };
}

async function run(plan: WeightPlan, batch = 3, values = x): Promise<Float32Array> {
  const executable = await compile(graph(batch), { ...cpu, weights: plan });
  const result = await executable.run({ x: float32(values, [batch, 2, columns]) });
  await executable.dispose();
  return floats(result.y);
}

const difference = (a: Float32Array, b: Float32Array): number =>
  Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0) / b.reduce((sum, v) => sum + v * v, 0));

describe.each(SCHEMES)('%s', async (scheme) => {
  const form = QUANTIZED_FORMS[scheme];
  const path = join(folder, `${scheme}.safetensors`);
  const int8 = { packed: new Uint8Array(weights.length), scale: new Float32Array(rows), total: rows };
  quantizeInt8(weights, 0, columns, int8);
  const parts = form.scheme === 'int4' ? quantizeInt4(weights, rows, columns, form.block) : int8;
  const shape =
    form.scheme === 'int4' ? { packed: [rows, 2, 32], scale: [rows, 2] } : { packed: [columns, rows], scale: [rows] };
  await writeSafetensors(
    path,
    [
      { name: 'w', dtype: 'U8', shape: shape.packed, data: parts.packed },
      { name: 'w.scale', dtype: 'F32', shape: shape.scale, data: parts.scale },
      { name: 'b', dtype: 'BF16', shape: [rows], data: bias },
    ],
    quantizationMetadata(form, { component: 'transformer', source: '0', columns: { w: columns } }),
  );
  const source = await openWeights(path);
  afterAll(() => source.close());
  const decoded = await source.readFloat32(source.tensors.get('w')!);

  test('embedded, external and copied plans agree to the bit', async () => {
    const embedded = await run(await planWeights(source, 'embedded'));
    expect(await run(await planWeights(source, 'external'))).toEqual(embedded);
    expect(await run(await storedWeights(source))).toEqual(embedded);
  });

  test('the result is that of the decoded weights, up to the rounding of activations', async () => {
    const plain = await planWeights(source, 'embedded');
    const bytes = new Uint8Array(decoded.buffer);
    const result = await run(plain);
    const expected = await run((name) => (name === 'w' ? { dtype: 'float32', bytes } : plain(name)));
    const apart = difference(result, expected);
    expect(apart).toBeLessThan(scheme === 'int4' ? 2e-6 : 0.008);
    if (scheme === 'int8') expect(apart).toBeGreaterThan(1e-4);
    const exact = new Uint8Array(weights.buffer);
    const loss = difference(
      result,
      await run((name) => (name === 'w' ? { dtype: 'float32', bytes: exact } : plain(name))),
    );
    expect(loss).toBeLessThan(scheme === 'int4' ? 0.12 : 0.012);
  });

  test("a sample's result does not depend on what shares its batch", async () => {
    const plan = await planWeights(source, 'embedded');
    const together = await run(plan);
    const louder = x.slice().map((v, i) => (i < 2 * columns ? v : 50 * v));
    const beside = await run(plan, 3, louder);
    const alone = await run(plan, 1, x.slice(0, 2 * columns));
    expect(beside.slice(0, alone.length)).toEqual(together.slice(0, alone.length));
    const apart = difference(together.slice(0, alone.length), alone);
    expect(apart).toBeLessThan(scheme === 'int8' ? 1e-7 : 1e-6);
  });

  test('the rewritten graph holds every invariant, quantizes an input once, and refuses other uses', async () => {
    const plan = await planWeights(source, 'embedded');
    const { outputs } = quantizeLinears(optimize([graph(3).y]), plan);
    verify(outputs);
    const ops = reachable(outputs).map(({ op }) => op);
    expect(ops).not.toContain('MatMul');
    expect(ops.filter((op) => op === 'QuantizeLinear')).toHaveLength(scheme === 'int8' ? 1 : 0);
    const other = { y: reshape(parameter('w', [rows, columns]), [rows * columns]) };
    await expect(compile(other, { ...cpu, weights: plan })).rejects.toThrow(
      'internal: compile: a quantized weight must be the right side of a linear layer, got w',
    );
  });
});

test('rows of zeros, and activations at the edge of every code, stay exact', async () => {
  const size = 64;
  const target = { packed: new Uint8Array(size * size), scale: new Float32Array(size), total: size };
  quantizeInt8(new Float32Array(size * size).fill(1), 0, size, target);
  const plan: WeightPlan = (name) =>
    name === 'w'
      ? {
          form: { scheme: 'int8' },
          packed: { dtype: 'uint8', bytes: target.packed },
          scale: { dtype: 'float32', bytes: new Uint8Array(target.scale.buffer) },
        }
      : undefined;
  const y = matmul(input('x', [2, size]), transposeLast(parameter('w', [size, size])));
  const executable = await compile({ y }, { ...cpu, weights: plan });
  const values = new Float32Array(2 * size).fill(1, 0, size);
  const result = floats((await executable.run({ x: float32(values, [2, size]) })).y);
  await executable.dispose();
  // Where the device adds pairs in 16 bits, this one saturates first.
  for (let i = 0; i < size; i++) expect(result[i]).toBeCloseTo(size, 3);
  expect(result.slice(size).every((v) => v === 0)).toBe(true);
});
