/**
 * Graph → ONNX ModelProto bytes. Each op's own `onnx` form says how it looks; this file only names, orders and writes.
 * Does not know devices, sessions or where weights live: a plan tells which parameters are initializers.
 */
import { internalError } from '../errors.ts';
import {
  constantOf,
  type DType,
  isLeaf,
  nameOf,
  type OnnxForm,
  type OnnxOperand,
  opDefinition,
  reachable,
  type Tensor,
  type TypedArray,
} from '../tensor/index.ts';
import { ATTRIBUTE_TYPE, DATA_TYPE, ModelProto } from './schema.ts';

/** How a parameter is stored: in the model's own bytes, or as a byte range of a file beside the model. */
export type StoredWeight = { readonly dtype: DType } & (
  | { readonly bytes: Uint8Array }
  | { readonly file: string; readonly offset: number; readonly length: number }
);

/** Stored form of a parameter; undefined leaves it an input, fed on every run. */
export type WeightPlan = (name: string) => StoredWeight | undefined;

export type OnnxModel = {
  readonly bytes: Uint8Array;
  /** Names to feed, with the leaf each stands for. */
  readonly inputs: ReadonlyMap<string, Tensor>;
};

/** The opset whose kernels and fusions every supported runtime knows; `Attention` alone needs the later one. */
const OPSET = 20;
const ATTENTION_OPSET = 23;

export function toOnnx(outputs: Readonly<Record<string, Tensor>>, weights: WeightPlan = () => undefined): OnnxModel {
  const writer = new GraphWriter(weights);
  const nodes = reachable(Object.values(outputs));
  for (const node of nodes) writer.node(node);
  const opset = nodes.some((n) => n.op === 'Attention') ? ATTENTION_OPSET : OPSET;
  return { bytes: writer.finish(outputs, opset), inputs: writer.inputs };
}

class GraphWriter {
  readonly inputs = new Map<string, Tensor>();
  readonly #weights: WeightPlan;
  readonly #names = new Map<Tensor, string>();
  readonly #nodes: {
    input: string[];
    output: string[];
    op_type: string;
    domain: string;
    name: string;
    attribute: object[];
  }[] = [];
  /** Nodes by form, so that further outputs of one op (statistics of a norm) come from one ONNX node. */
  readonly #byForm = new Map<string, number>();
  readonly #initializers: object[] = [];
  readonly #small = new Map<string, string>();

  constructor(weights: WeightPlan) {
    this.#weights = weights;
  }

  node(node: Tensor): void {
    if (node.op === 'Constant') this.#constant(node);
    else if (isLeaf(node)) this.#leaf(node);
    else this.#apply(node);
  }

  #apply(node: Tensor): void {
    const form = opDefinition(node.op).onnx(node);
    const output = form.output ?? 0;
    const inputs = form.inputs.map((x) => this.#operand(x));
    const key = `${form.domain ?? ''}:${form.type}(${inputs.join()})${JSON.stringify(form.attributes ?? {})}`;
    let index = this.#byForm.get(key);
    if (index === undefined) {
      index = this.#nodes.length;
      this.#byForm.set(key, index);
      this.#nodes.push({
        input: inputs,
        output: [],
        op_type: form.type,
        domain: form.domain ?? '',
        name: `${node.op}_${index}`,
        attribute: Object.entries(form.attributes ?? {}).map(([name, value]) => attribute(name, value)),
      });
    }
    const outputs = this.#nodes[index]!.output;
    // Earlier outputs are named too, though nothing may read them: an output that is not optional must have a name.
    while (outputs.length <= output) outputs.push(`t${index}_${outputs.length}`);
    this.#names.set(node, outputs[output] as string);
  }

  #leaf(node: Tensor): void {
    const name = nameOf(node);
    this.#names.set(node, name);
    if (this.inputs.has(name) || this.#small.has(name)) {
      const stored = this.#small.get(name);
      if (stored !== undefined) this.#names.set(node, stored);
      return;
    }
    const stored = node.op === 'Parameter' ? this.#weights(name) : undefined;
    if (stored === undefined) {
      this.inputs.set(name, node);
      return;
    }
    const raw = stored.dtype === node.dtype ? name : `${name}:${stored.dtype}`;
    this.#initializers.push(
      'bytes' in stored
        ? initializer(raw, stored.dtype, node.shape, stored.bytes)
        : external(raw, stored.dtype, node.shape, stored),
    );
    this.#small.set(name, name);
    if (raw === name) return;
    this.#nodes.push({
      input: [raw],
      output: [name],
      op_type: 'Cast',
      domain: '',
      name: `Cast ${name}`,
      attribute: [attribute('to', node.dtype)],
    });
  }

  #constant(node: Tensor): void {
    this.#names.set(node, this.#literal(node.dtype, node.shape, constantOf(node)));
  }

  #operand(operand: OnnxOperand): string {
    if (operand === undefined) return '';
    if ('int64' in operand)
      return this.#literal('int64', [operand.int64.length], BigInt64Array.from(operand.int64, BigInt));
    if ('float' in operand) return this.#literal('float32', [], Float32Array.of(operand.float));
    const name = this.#names.get(operand);
    if (name === undefined) throw internalError('toOnnx', 'inputs must precede their users', operand.op);
    return name;
  }

  /** Small constants are written once for each value. */
  #literal(dtype: DType, shape: readonly number[], data: TypedArray): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = data.length <= 64 ? `${dtype} ${shape.join()} ${bytes.join()}` : undefined;
    const known = key === undefined ? undefined : this.#small.get(key);
    if (known !== undefined) return known;
    const name = `c${this.#initializers.length}`;
    this.#initializers.push(initializer(name, dtype, shape, bytes));
    if (key !== undefined) this.#small.set(key, name);
    return name;
  }

  finish(outputs: Readonly<Record<string, Tensor>>, opset: number): Uint8Array {
    const results = Object.entries(outputs).map(([name, tensor]) => {
      // A graph output needs a name of its own, also where it is a leaf or appears twice.
      this.#nodes.push({
        input: [this.#names.get(tensor) as string],
        output: [`out:${name}`],
        op_type: 'Identity',
        domain: '',
        name: `out:${name}`,
        attribute: [],
      });
      return valueInfo(`out:${name}`, tensor);
    });
    return ModelProto.encode({
      ir_version: 10,
      producer_name: 'step-video',
      opset_import: [
        { domain: '', version: opset },
        { domain: 'com.microsoft', version: 1 },
      ],
      graph: {
        name: 'graph',
        node: this.#nodes,
        initializer: this.#initializers,
        input: [...this.inputs].map(([name, tensor]) => valueInfo(name, tensor)),
        output: results,
      },
    }).finish();
  }
}

type FormAttribute = NonNullable<OnnxForm['attributes']>[string];

function attribute(name: string, value: FormAttribute): object {
  if (name === 'to') return { name, type: ATTRIBUTE_TYPE.INT, i: DATA_TYPE[value as DType] };
  if (typeof value === 'number') return { name, type: ATTRIBUTE_TYPE.INT, i: value };
  if (typeof value === 'string') return { name, type: ATTRIBUTE_TYPE.STRING, s: new TextEncoder().encode(value) };
  if ('float' in value) return { name, type: ATTRIBUTE_TYPE.FLOAT, f: value.float };
  return { name, type: ATTRIBUTE_TYPE.INTS, ints: value };
}

const initializer = (name: string, dtype: DType, dims: readonly number[], raw_data: Uint8Array): object => ({
  name,
  dims,
  data_type: DATA_TYPE[dtype],
  raw_data,
});

const external = (
  name: string,
  dtype: DType,
  dims: readonly number[],
  at: { file: string; offset: number; length: number },
): object => ({
  name,
  dims,
  data_type: DATA_TYPE[dtype],
  data_location: 1,
  external_data: [
    { key: 'location', value: at.file },
    { key: 'offset', value: String(at.offset) },
    { key: 'length', value: String(at.length) },
  ],
});

const valueInfo = (name: string, tensor: Tensor): object => ({
  name,
  type: {
    tensor_type: { elem_type: DATA_TYPE[tensor.dtype], shape: { dim: tensor.shape.map((d) => ({ dim_value: d })) } },
  },
});
