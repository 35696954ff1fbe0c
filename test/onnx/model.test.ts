/** ONNX bytes: what is written once, how weights are stored, which opset; read back with the published schema. */
import { expect, test } from 'vitest';
import { toOnnx } from '../../src/onnx/model.ts';
import { ModelProto } from '../../src/onnx/schema.ts';
import { commonFolder } from '../../src/onnx/stored-weight.ts';
import * as t from '../../src/tensor/index.ts';

type Read = {
  opset_import: { domain: string; version: number }[];
  graph: {
    node: { name: string; op_type: string; input: string[]; output: string[] }[];
    initializer: {
      name: string;
      data_type: number;
      dims: number[];
      data_location: string;
      external_data: { key: string; value: string }[];
    }[];
    input: { name: string }[];
    output: { name: string }[];
  };
};
const read = (bytes: Uint8Array): Read =>
  ModelProto.toObject(ModelProto.decode(bytes), {
    longs: Number,
    arrays: true,
    enums: String,
    defaults: true,
  }) as unknown as Read;

test('names, literals and leaves are written once', () => {
  const x = t.input('x', [2, 2]);
  const y = t.add(t.mul(x, 2), t.scalar(2));
  const { graph } = read(toOnnx({ y, again: y, x: t.input('x', [2, 2]) }).bytes);
  expect(graph.input.map((i) => i.name)).toEqual(['x']);
  expect(graph.initializer).toHaveLength(1);
  expect(graph.output.map((o) => o.name)).toEqual(['out:y', 'out:again', 'out:x']);
  expect(graph.node.map((n) => n.op_type)).toEqual(['Mul', 'Add', 'Identity', 'Identity']);
  const defined = [
    ...graph.input.map((i) => i.name),
    ...graph.initializer.map((i) => i.name),
    ...graph.node.flatMap((n) => n.output),
  ];
  expect(new Set(defined).size).toBe(defined.length);
});

test('a result that others read too has its own name from the beginning; only a second one of the same is a copy', () => {
  const x = t.input('x', [2, 2]);
  const state = t.mul(x, 3);
  const { graph } = read(toOnnx({ y: t.add(state, x), state, last: state }).bytes);
  expect(graph.node.map((n) => [n.op_type, n.input, n.output])).toEqual([
    ['Mul', ['x', expect.anything()], ['out:last']],
    ['Add', ['out:last', 'x'], ['out:y']],
    ['Identity', ['out:last'], ['out:state']],
  ]);
});

test('only Attention asks for the later opset', () => {
  const x = t.input('x', [1, 1, 2, 2]);
  const opset = (y: t.Tensor) => read(toOnnx({ y }).bytes).opset_import.find((o) => o.domain === '')!.version;
  expect(opset(t.attention(x, x, x, { scale: 1, form: 'primitive' }))).toBe(20);
  expect(opset(t.attention(x, x, x, { scale: 1, form: 'fused' }))).toBe(23);
});

test('a weight stored in the graph’s dtype is an initializer, in another one it is decoded, without a plan it is fed', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => t.parameter(name, [2])) as [t.Tensor, t.Tensor, t.Tensor];
  const model = toOnnx({ y: t.add(t.add(a, b), c) }, (name) =>
    name === 'a'
      ? { dtype: 'float32', bytes: new Uint8Array(8) }
      : name === 'b'
        ? { dtype: 'bfloat16', file: '/data/w/part.safetensors', offset: 10, length: 4 }
        : undefined,
  );
  const { graph } = read(model.bytes);
  expect([...model.inputs.keys()]).toEqual(['c']);
  expect(graph.initializer.map((i) => [i.name, i.data_type])).toEqual([
    ['a', 1],
    ['b:bfloat16', 16],
  ]);
  expect(graph.initializer[1]).toMatchObject({
    data_location: 'EXTERNAL',
    external_data: [
      { key: 'location', value: 'part.safetensors' },
      { key: 'offset', value: '10' },
      { key: 'length', value: '4' },
    ],
  });
  expect(graph.node[0]).toMatchObject({ op_type: 'Cast', input: ['b:bfloat16'], output: ['b'] });
  expect(model.external).toEqual({ folder: '/data/w', files: ['/data/w/part.safetensors'] });
  expect(model.decodes).toBe(true);
});

test('the folder of external weights is the deepest that holds them all', () => {
  expect(commonFolder(['/a/b/c.bin'])).toBe('/a/b');
  expect(commonFolder(['/a/b/c.bin', '/a/bc/d.bin', '/a/b/x/e.bin'])).toBe('/a');
  expect(commonFolder(['/a/x', '/b/y'])).toBe('/');
});
