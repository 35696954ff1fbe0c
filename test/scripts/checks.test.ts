/** The checks themselves: a rule that cannot fail guards nothing. */
import { describe, expect, it } from 'vitest';
import { fileProblems } from '../../scripts/file-rules.ts';
import { relativeImports } from '../../scripts/imports.ts';
import { importCycles, layerOf, layerViolation } from '../../scripts/layers.ts';

describe('relativeImports', () => {
  it('sees every form of import and nothing else', () => {
    const text = `#!/usr/bin/env node
/** import x from './comment.ts' */
import { a } from './a.ts'; // from './b.ts'
import type { T } from '../t.ts';
import {
  several,
  lines,
} from './several-lines.ts';
import './side-effect.ts';
import fs from 'node:fs';
export { b } from './reexport.ts';
export type { U } from './u.ts';
const url = 'https://example.com'; const lazy = await import('./lazy.ts');
const notOne = foo.import('./method.ts');
const text = "import z from './string.ts'";`;
    expect(relativeImports('src/x/y.ts', text)).toEqual([
      { target: 'src/x/a.ts', isTypeOnly: false },
      { target: 'src/t.ts', isTypeOnly: true },
      { target: 'src/x/several-lines.ts', isTypeOnly: false },
      { target: 'src/x/side-effect.ts', isTypeOnly: false },
      { target: 'src/x/reexport.ts', isTypeOnly: false },
      { target: 'src/x/u.ts', isTypeOnly: true },
      { target: 'src/x/lazy.ts', isTypeOnly: false },
    ]);
  });
});

describe('layers', () => {
  it.each([
    ['src/tensor/grad.ts', 'src/errors.ts'],
    ['src/onnx/model.ts', 'src/tensor/index.ts'],
    ['src/dit/model.ts', 'src/nn/linear.ts'],
    ['src/generate.ts', 'src/dit/model.ts'],
    ['src/generate.ts', 'src/request.ts'],
    ['src/train/trainer.ts', 'src/vae/encoder.ts'],
    ['src/cli/run.ts', 'src/generate.ts'],
    ['src/hub/selection.ts', 'src/weights/checkpoint.ts'],
  ])('%s may import %s', (from, to) => expect(layerViolation(from, to)).toBeUndefined());

  it.each([
    ['src/tensor/grad.ts', 'src/runtime/compile.ts'],
    ['src/onnx/model.ts', 'src/runtime/compile.ts'],
    ['src/dit/model.ts', 'src/vae/encoder.ts'],
    ['src/dit/model.ts', 'src/generate.ts'],
    ['src/generate.ts', 'src/cli/run.ts'],
    ['src/errors.ts', 'src/tensor/shape.ts'],
    ['src/weights/checkpoint.ts', 'src/hub/hub.ts'],
    ['src/dit/model.ts', 'src/hub/hub.ts'],
    ['src/gui/window.ts', 'src/generate.ts'],
  ])('%s must not import %s', (from, to) => expect(layerViolation(from, to)).toContain(from));

  it('takes a layer from the folder', () => {
    expect(['src/errors.ts', 'src/generate.ts', 'src/tensor/ops/conv.ts'].map(layerOf)).toEqual([
      'errors',
      '.',
      'tensor',
    ]);
  });
});

it('importCycles finds a circle once, and none in a diamond', () => {
  const graph = (edges: Record<string, string[]>) => importCycles(new Map(Object.entries(edges)));
  expect(graph({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] })).toEqual([]);
  expect(graph({ a: ['b'], b: ['c'], c: ['b'] })).toEqual([['b', 'c', 'b']]);
  expect(graph({ a: ['a'] })).toEqual([['a', 'a']]);
});

describe('fileProblems', () => {
  const header = '/** Says what this file does and what it does not. */\n';
  it('is content with a good file', () =>
    expect(fileProblems('src/dit/model.ts', `${header}export {};\n`)).toEqual([]));

  it.each([
    ['src/utils/x.ts', header, 'utils is not a name of an idea'],
    ['src/text/helpers.ts', header, 'helpers is not a name of an idea'],
    ['src/text/bigName.ts', header, 'kebab-case'],
    ['src/text/long.ts', header + 'x\n'.repeat(400), '401 lines, at most 400'],
    ['src/text/bare.ts', 'export {};\n', 'no header comment'],
    ['src/text/left.ts', `${header}// ${['TO', 'DO'].join('')} later`, 'left over'],
    ['src/text/off.ts', `${header}// @ts-${''}ignore`, 'a check is switched off'],
  ])('%s', (file, text, problem) => {
    expect(fileProblems(file, text)).toEqual([expect.stringContaining(problem)]);
  });
});
