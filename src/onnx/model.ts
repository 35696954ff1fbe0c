/**
 * Graph → ONNX ModelProto bytes. Each op's own `onnx` form says how it looks; this file only names, orders and writes.
 * Does not know devices, sessions or where weights come from: a plan tells which parameters are initializers.
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
import {
  checkStored,
  commonFolder,
  initializer,
  isQuantized,
  type StoredBytes,
  storedInitializer,
  type WeightPlan,
} from './stored-weight.ts';

export type { QuantizedWeight, StoredBytes, StoredWeight, WeightPlan } from './stored-weight.ts';

export type OnnxModel = {
  readonly bytes: Uint8Array;
  /** Names to feed, with the leaf each stands for. */
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** The graph tensors that each ONNX node computes, by the node's name: what a profile joins its times with. */
  readonly nodes: ReadonlyMap<string, readonly Tensor[]>;
  /** Files of external weights and the folder that they are named from; absent where there are none. */
  readonly external?: { readonly folder: string; readonly files: readonly string[] };
  /** Some weight is stored in a dtype other than the graph's and decoded by a node. */
  readonly decodes: boolean;
};

/** The opset whose kernels and fusions every supported runtime knows; `Attention` alone needs the later one. */
const OPSET = 20;
const ATTENTION_OPSET = 23;

/** Serialised messages end here, by protobuf's signed lengths. */
const LARGEST_MODEL = 2 ** 31 - 1;

/** An output that is no tensor; what it is for, the session knows. */
export const ENDING = 'ending';

export type OnnxOptions = {
  /** Put `ENDING` in front of the other outputs. */
  readonly ending?: boolean;
};

/**
 * Writes the graph that `outputs` reach; result `name` is ONNX output `out:name`.
 * Throws where a stored weight's bytes do not fit its shape, or embedded weights exceed what one model can hold.
 */
export function toOnnx(
  outputs: Readonly<Record<string, Tensor>>,
  weights: WeightPlan = () => undefined,
  { ending = false }: OnnxOptions = {},
): OnnxModel {
  const writer = new GraphWriter(weights, outputs);
  if (ending) writer.ending();
  const nodes = reachable(Object.values(outputs));
  for (const node of nodes) writer.node(node);
  for (const [name, tensor] of Object.entries(outputs)) writer.output(name, tensor);
  return writer.finish(nodes.some((n) => n.op === 'Attention') ? ATTENTION_OPSET : OPSET);
}

type NodeProto = {
  readonly input: string[];
  readonly output: string[];
  readonly op_type: string;
  readonly domain: string;
  readonly name: string;
  readonly attribute: object[];
};

class GraphWriter {
  readonly #weights: WeightPlan;
  readonly #inputs = new Map<string, Tensor>();
  /** ONNX name of each tensor written so far. */
  readonly #names = new Map<Tensor, string>();
  readonly #nodes: NodeProto[] = [];
  readonly #computes = new Map<string, Tensor[]>();
  /** Nodes by form, so that further outputs of one op (statistics of a norm) come from one ONNX node. */
  readonly #byForm = new Map<string, NodeProto>();
  readonly #literals: object[] = [];
  readonly #literalNames = new Map<string, string>();
  /** Parameters that the plan stores, by name; `raw` is the initializer's own name. */
  readonly #stored = new Map<string, { raw: string; node: Tensor; stored: StoredBytes }>();
  readonly #decoded = new Set<string>();
  readonly #results: object[] = [];
  /** Names of graph outputs, by the tensor that they show. */
  readonly #resultNames: ReadonlyMap<Tensor, string>;

  constructor(weights: WeightPlan, outputs: Readonly<Record<string, Tensor>>) {
    this.#weights = weights;
    this.#resultNames = new Map(Object.entries(outputs).map(([name, tensor]) => [tensor, resultName(name)]));
  }

  node(node: Tensor): void {
    if (node.op === 'Constant') this.#names.set(node, this.#literal(node.dtype, node.shape, constantOf(node)));
    else if (isLeaf(node)) this.#leaf(node);
    else this.#apply(node);
  }

  #apply(node: Tensor): void {
    if (node.op === 'Gather' && this.#gatherStored(node)) return;
    const form = opDefinition(node.op).onnx(node);
    const inputs = form.inputs.map((x) => this.#operand(x));
    const key = `${form.domain ?? ''}:${form.type}(${inputs.join()})${JSON.stringify(form.attributes ?? {})}`;
    const proto = this.#byForm.get(key) ?? this.#add(`${node.op}_${this.#nodes.length}`, form, inputs);
    this.#byForm.set(key, proto);
    this.#computes.set(proto.name, [...(this.#computes.get(proto.name) ?? []), node]);
    // Earlier outputs are named too, though nothing may read them: an output that is not optional must have a name.
    const output = form.output ?? 0;
    while (proto.output.length < output) proto.output.push(`${proto.name}:${proto.output.length}`);
    // A result that others read too is made in its own memory at once; a copy would be made at the end, all of them alive till then.
    if (proto.output.length === output)
      proto.output.push(this.#resultNames.get(node) ?? `${proto.name}:${proto.output.length}`);
    this.#names.set(node, proto.output[output] as string);
  }

  #add(name: string, form: Omit<OnnxForm, 'inputs'>, input: string[], output: string[] = []): NodeProto {
    const attributes = Object.entries(form.attributes ?? {}).map(([key, value]) => attribute(key, value));
    const proto = { input, output, op_type: form.type, domain: form.domain ?? '', name, attribute: attributes };
    this.#nodes.push(proto);
    return proto;
  }

  /** Rows of a table that is stored in another dtype are looked up first and then decoded: a vocabulary is never decoded whole. */
  #gatherStored(node: Tensor): boolean {
    const [table, ids] = node.inputs as [Tensor, Tensor];
    const stored = table.op === 'Parameter' ? this.#stored.get(nameOf(table)) : undefined;
    if (stored === undefined || stored.raw === nameOf(table)) return false;
    const name = `${node.op}_${this.#nodes.length}`;
    const rows = `${name}:${stored.stored.dtype}`;
    const decoded = `${name}:0`;
    this.#add(name, { type: 'Gather', attributes: { axis: 0 } }, [stored.raw, this.#operand(ids)], [rows]);
    this.#add(`Decode ${name}`, { type: 'Cast', attributes: { to: node.dtype } }, [rows], [decoded]);
    this.#computes.set(name, [node]);
    this.#names.set(node, decoded);
    return true;
  }

  /** Inputs and parameters go by their own names; several nodes may stand for one leaf. A stored one is decoded at its first use. */
  #leaf(node: Tensor): void {
    const name = nameOf(node);
    this.#names.set(node, name);
    if (this.#inputs.has(name) || this.#stored.has(name)) return;
    const stored = node.op === 'Parameter' ? this.#weights(name) : undefined;
    if (stored === undefined) {
      this.#inputs.set(name, node);
      return;
    }
    if (isQuantized(stored)) throw internalError('toOnnx', 'quantized weights must be made into their parts', name);
    checkStored(name, node, stored);
    const raw = stored.dtype === node.dtype ? name : `${name}:${stored.dtype}`;
    this.#stored.set(name, { raw, node, stored });
  }

  #decode(name: string): void {
    const stored = this.#stored.get(name);
    if (stored === undefined || stored.raw === name || this.#decoded.has(name)) return;
    this.#decoded.add(name);
    this.#add(`Decode ${name}`, { type: 'Cast', attributes: { to: stored.node.dtype } }, [stored.raw], [name]);
  }

  #operand(operand: OnnxOperand): string {
    if (operand === undefined) return '';
    if ('int64' in operand)
      return this.#literal('int64', [operand.int64.length], BigInt64Array.from(operand.int64, BigInt));
    if ('float' in operand) return this.#literal('float32', [], Float32Array.of(operand.float));
    const name = this.#names.get(operand);
    if (operand.op === 'Parameter') this.#decode(nameOf(operand));
    if (name === undefined) throw internalError('toOnnx', 'inputs must precede their users', operand.op);
    return name;
  }

  /** Small constants are written once for each value. */
  #literal(dtype: DType, shape: readonly number[], data: TypedArray): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = data.length <= 64 ? `${dtype} ${shape.join()} ${bytes.join()}` : undefined;
    const known = key === undefined ? undefined : this.#literalNames.get(key);
    if (known !== undefined) return known;
    const name = `constant:${this.#literals.length}`;
    this.#literals.push(initializer(name, dtype, shape, bytes));
    if (key !== undefined) this.#literalNames.set(key, name);
    return name;
  }

  ending(): void {
    this.#add(ENDING, { type: 'SequenceEmpty' }, [], [ENDING]);
    this.#results.push({ name: ENDING, type: { sequence_type: { elem_type: tensorType('float32', []) } } });
  }

  /** A graph output needs a name of its own: one that is a leaf, or appears twice, is a copy. */
  output(name: string, tensor: Tensor): void {
    const result = resultName(name);
    if (tensor.op === 'Parameter') this.#decode(nameOf(tensor));
    const written = this.#names.get(tensor) as string;
    if (written !== result) this.#add(result, { type: 'Identity' }, [written], [result]);
    this.#results.push(valueInfo(result, tensor));
  }

  finish(opset: number): OnnxModel {
    const stored = [...this.#stored.values()];
    const embedded = stored.reduce((n, s) => n + ('bytes' in s.stored ? s.stored.bytes.byteLength : 0), 0);
    if (embedded > LARGEST_MODEL)
      throw internalError(
        'toOnnx',
        `embedded weights must stay below ${LARGEST_MODEL} bytes; keep them external`,
        embedded,
      );
    const files = [...new Set(stored.flatMap((s) => ('file' in s.stored ? [s.stored.file] : [])))];
    const folder = files.length > 0 ? commonFolder(files) : '';
    const bytes = ModelProto.encode({
      ir_version: 10,
      producer_name: 'step-video',
      opset_import: [
        { domain: '', version: opset },
        { domain: 'com.microsoft', version: 1 },
      ],
      graph: {
        name: 'graph',
        node: this.#nodes,
        initializer: [
          ...this.#literals,
          ...stored.map(({ raw, node, stored }) => storedInitializer(raw, node.shape, stored, folder)),
        ],
        input: [...this.#inputs].map(([name, tensor]) => valueInfo(name, tensor)),
        output: this.#results,
      },
    }).finish();
    return {
      bytes,
      inputs: this.#inputs,
      nodes: this.#computes,
      ...(files.length > 0 && { external: { folder, files } }),
      decodes: stored.some(({ node, stored }) => stored.dtype !== node.dtype),
    };
  }
}

const resultName = (name: string): string => `out:${name}`;

type FormAttribute = NonNullable<OnnxForm['attributes']>[string];

function attribute(name: string, value: FormAttribute): object {
  if (name === 'to') return { name, type: ATTRIBUTE_TYPE.INT, i: DATA_TYPE[value as DType] };
  if (typeof value === 'number') return { name, type: ATTRIBUTE_TYPE.INT, i: value };
  if (typeof value === 'string') return { name, type: ATTRIBUTE_TYPE.STRING, s: new TextEncoder().encode(value) };
  if ('float' in value) return { name, type: ATTRIBUTE_TYPE.FLOAT, f: value.float };
  return { name, type: ATTRIBUTE_TYPE.INTS, ints: value };
}

const valueInfo = (name: string, { dtype, shape }: Tensor): object => ({ name, type: tensorType(dtype, shape) });

const tensorType = (dtype: DType, shape: readonly number[]): object => ({
  tensor_type: { elem_type: DATA_TYPE[dtype], shape: { dim: shape.map((d) => ({ dim_value: d })) } },
});
