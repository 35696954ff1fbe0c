/** The tensor graph's public face: handles, ops, gradients and passes. Importing it registers every op. */
export * from './dtype.ts';
export * from './grad.ts';
export * from './ndarray.ts';
export { definedOps, type OnnxForm, type OnnxOperand, type OpDefinition, opDefinition } from './op.ts';
export * from './ops/activation.ts';
export * from './ops/attention.ts';
export * from './ops/conv.ts';
export * from './ops/elementwise.ts';
export * from './ops/matmul.ts';
export * from './ops/norm.ts';
export * from './ops/reduce.ts';
export * from './ops/shape.ts';
export * from './print.ts';
export * from './reference.ts';
export * from './rewrite.ts';
export * from './shape.ts';
export * from './tensor.ts';
export * from './verify.ts';
