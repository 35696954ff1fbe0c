/**
 * The weights under training and all that is kept beside them: gradients, moments, averages. Plain host arrays, so that
 * any session may read or update them in place.
 */
import { gaussian } from '../diffusion/noise.ts';
import { checkpointError, inputError } from '../errors.ts';
import type { ParameterSpec } from '../nn/scope.ts';
import { float32, type Value } from '../runtime/value.ts';
import { sameShape, sizeOf, stridesOf } from '../tensor/index.ts';
import type { TensorSource } from '../weights/tensor-entry.ts';
import type { GroupConfig } from './config.ts';

export type Parameter = {
  readonly name: string;
  readonly value: Value;
  readonly gradient: Value;
  readonly group: GroupConfig;
  /** First moment (AdamW) or momentum (Muon). */
  readonly moment: Value;
  /** Second moment, AdamW only. */
  readonly variance?: Value;
  /** Moving average of the weight, where the run keeps one. */
  readonly average?: Value;
};

const like = (spec: ParameterSpec): Value => float32(new Float32Array(sizeOf(spec.shape)), spec.shape);

/** Start values by the model's own declaration; each tensor's numbers depend on the seed and its place alone. */
export function initialValues(specs: ReadonlyMap<string, ParameterSpec>, seed: number): Map<string, Value> {
  const values = new Map<string, Value>();
  let stream = 1000;
  for (const spec of specs.values()) {
    const value = like(spec);
    const data = value.data as Float32Array;
    if ('constant' in spec.initial) data.fill(spec.initial.constant);
    else if ('blocks' in spec.initial) fillBlocks(data, spec.initial.blocks);
    else fillNormal(data, spec, gaussian({ seed, length: data.length, stream }), spec.initial);
    values.set(spec.name, value);
    stream += 1;
  }
  return values;
}

function fillBlocks(data: Float32Array, blocks: readonly number[]): void {
  const size = data.length / blocks.length;
  blocks.forEach((value, i) => {
    data.fill(value, i * size, (i + 1) * size);
  });
}

function fillNormal(
  data: Float32Array,
  spec: ParameterSpec,
  noise: Float32Array,
  initial: { normal: number; lastOf?: number },
): void {
  const axis = initial.lastOf;
  const stride = axis === undefined ? 1 : (stridesOf(spec.shape)[axis] as number);
  const size = axis === undefined ? 1 : (spec.shape[axis] as number);
  for (let i = 0; i < data.length; i++)
    if (Math.floor(i / stride) % size === size - 1) data[i] = (noise[i] as number) * initial.normal;
}

/** Values of a checkpoint, which must hold each parameter in its shape. */
export async function loadValues(
  specs: ReadonlyMap<string, ParameterSpec>,
  source: TensorSource,
  prefix = '',
): Promise<Map<string, Value>> {
  const values = new Map<string, Value>();
  for (const spec of specs.values()) {
    const entry = source.tensors.get(prefix + spec.name);
    if (entry === undefined || !sameShape(entry.shape, spec.shape))
      throw checkpointError(
        `train ${source.path}`,
        `${spec.name} must be [${spec.shape.join(', ')}]`,
        entry?.shape ?? 'nothing',
        'the config that this checkpoint was trained with',
      );
    values.set(spec.name, float32(await source.readFloat32(entry), spec.shape));
  }
  return values;
}

/** The first group whose pattern matches `name`. */
export const groupOf = (groups: readonly GroupConfig[], name: string): GroupConfig | undefined =>
  groups.find(({ pattern }) => new RegExp(pattern).test(name));

/**
 * Trained parameters with room for their updates; frozen ones have none and are only values. The first group whose pattern
 * matches a name takes it.
 * @throws input error for a name that no group takes, which would silently not train, and for a group that takes none.
 */
export function trainedParameters(
  specs: ReadonlyMap<string, ParameterSpec>,
  values: ReadonlyMap<string, Value>,
  options: { groups: readonly GroupConfig[]; average: boolean },
): Parameter[] {
  const groups = options.groups.map((group) => ({ group, pattern: new RegExp(group.pattern), isUsed: false }));
  const parameters = [...specs.values()].flatMap((spec) => {
    const taker = groups.find(({ pattern }) => pattern.test(spec.name));
    if (taker === undefined)
      throw inputError('train', 'groups must cover every parameter', spec.name, 'a last group with pattern "."');
    taker.isUsed = true;
    return taker.group.optimizer === 'frozen'
      ? []
      : [parameterOf(spec, values.get(spec.name) as Value, taker.group, options)];
  });
  const idle = groups.find(({ isUsed }) => !isUsed);
  if (idle !== undefined) {
    const names = [...specs.keys()].slice(0, 3).join(', ');
    throw inputError(
      'train',
      'every group must take some parameter',
      idle.group.pattern,
      `a pattern for names such as ${names}`,
    );
  }
  if (parameters.length === 0) throw inputError('train', 'some group must not be frozen');
  return parameters;
}

function parameterOf(
  spec: ParameterSpec,
  value: Value,
  group: GroupConfig,
  { average }: { average: boolean },
): Parameter {
  return {
    name: spec.name,
    value,
    group,
    gradient: like(spec),
    moment: like(spec),
    ...(group.optimizer === 'adamw' && { variance: like(spec) }),
    ...(average && { average: float32((value.data as Float32Array).slice(), spec.shape) }),
  };
}
