/**
 * Runs every op case and its gradient on a device and compares both with the float64 reference.
 * The reference's own gradients are judged by finite differences in test/tensor.
 */
import { expect, test } from 'vitest';
import { compile } from '../../src/runtime/compile.ts';
import { capabilitiesOf, type Device } from '../../src/runtime/device.ts';
import type { Value } from '../../src/runtime/value.ts';
import {
  allocate,
  evaluate,
  input,
  isFloat,
  type NDArray,
  opDefinition,
  type Tensor,
  vjp,
} from '../../src/tensor/index.ts';
import { type OpCase, opCases } from '../tensor/op-cases.ts';
import { deviation, feedsOf, spread } from '../tensor/values.ts';

/** A reference value as a device takes it. */
export function toValue(array: NDArray): Value {
  const data = allocate(array.dtype, array.data.length);
  if (data instanceof BigInt64Array) data.set(Array.from(array.data, BigInt));
  else data.set(array.data);
  return { dtype: array.dtype, shape: array.shape, data };
}

/** The case's result and, where it has them, the gradients of its float leaves, as outputs of one graph. */
function graphOf(opCase: OpCase): { outputs: Record<string, Tensor>; leaves: Tensor[]; values: NDArray[] } {
  const leaves = opCase.leaves.map((leaf, i) => input(`x${i}`, leaf.shape, leaf.dtype));
  const values = opCase.leaves.map(spread);
  const y = opCase.build(...leaves);
  const floats = leaves.filter((x) => isFloat(x.dtype));
  if (!isFloat(y.dtype) || floats.length === 0 || opDefinition(opCase.op).gradient === undefined)
    return { outputs: { y }, leaves, values };
  const seed = input('seed', y.shape);
  const gradients = vjp([{ output: y, gradient: seed }], floats);
  const outputs = Object.fromEntries([['y', y], ...gradients.map((g, i) => [`d${i}`, g] as const)]);
  return { outputs, leaves: [...leaves, seed], values: [...values, spread({ shape: y.shape, range: [0.4, 1.7] }, 99)] };
}

/** A software GPU compiles each kernel's shader for itself. */
const TIMEOUT = 120_000;

/** Defines one test a case. `slack` multiplies the allowed deviation. */
export function opSuite(device: Device, slack: number): void {
  test.each(opCases)(
    '$title',
    async (opCase) => {
      const { outputs, leaves, values } = graphOf(opCase);
      const expected = evaluate(Object.values(outputs), feedsOf(leaves, values));
      const executable = await compile(outputs, { device, threads: 1 });
      const feeds = Object.fromEntries(leaves.map((leaf, i) => [leaf.attributes.name as string, toValue(values[i]!)]));
      const results = await executable.run(feeds).catch((error: Error) => error);
      await executable.dispose();
      if (results instanceof Error) {
        // Float16 is optional on WebGPU adapters; nothing else may fail.
        expect([device, results.message]).toEqual([
          'webgpu',
          expect.stringContaining('requires f16 but the device does not'),
        ]);
        return;
      }
      Object.keys(outputs).forEach((name, i) => {
        const [result, reference] = [results[name]!, expected[i]!];
        expect(result.shape, name).toEqual(reference.shape);
        expect(result.dtype, name).toBe(reference.dtype);
        const trigonometric = opCase.op === 'Sin' || opCase.op === 'Cos';
        const limit = trigonometric ? 2 * capabilitiesOf(device).trigonometry : slack * (opCase.tolerance ?? 2e-6);
        expect(deviation(result.data, reference.data), name).toBeLessThan(limit);
      });
    },
    TIMEOUT,
  );
}
