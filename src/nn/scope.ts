/**
 * Where parameters come from: a path that grows as modules nest, so that a parameter's path is its checkpoint name.
 * The same code names weights for loading, gives their start values for training, and lists what a checkpoint must hold.
 */
import { internalError } from '../errors.ts';
import { parameter, type Shape, type Tensor } from '../tensor/index.ts';

/**
 * Start value of a parameter: a constant, or a normal distribution of the given deviation, perhaps only at the last index of
 * one axis and zero elsewhere (a causal convolution that does not yet see the past), or a constant for each of equal blocks.
 */
export type Initial =
  | { readonly constant: number }
  | { readonly normal: number; readonly lastOf?: number }
  | { readonly blocks: readonly number[] };
export type ParameterSpec = { readonly name: string; readonly shape: Shape; readonly initial: Initial };

export class Scope {
  /** Whether the graph will be differentiated with weights fed, or run with weights known at compile time. */
  readonly training: boolean;
  readonly #path: string;
  #reuse = false;
  readonly #specs: Map<string, ParameterSpec>;
  readonly #tensors: Map<string, Tensor>;

  /** The root of a model's parameters; `parent` and `name` are for `at`. */
  constructor(options: { training?: boolean } = {}, parent?: Scope, name = '') {
    this.training = parent?.training ?? options.training ?? false;
    this.#path = [parent === undefined ? '' : parent.#path, name].filter((part) => part !== '').join('.');
    this.#reuse = parent === undefined ? false : parent.#reuse;
    this.#specs = parent === undefined ? new Map() : parent.#specs;
    this.#tensors = parent === undefined ? new Map() : parent.#tensors;
  }

  /** The scope one name deeper: `scope.at('attn1').at('wo')`. */
  at(name: string | number): Scope {
    return new Scope({}, this, String(name));
  }

  /** The same path, where another form of a network may name its weights again and gets the same tensors. */
  reused(): Scope {
    const again = new Scope({}, this);
    again.#reuse = true;
    return again;
  }

  /** A weight of this module. Asking twice for one name is a mistake of the model's, unless the scope is `reused`. */
  parameter(name: string, shape: Shape, initial: Initial): Tensor {
    const full = this.at(name).#path;
    const known = this.#reuse ? this.#tensors.get(full) : undefined;
    if (known !== undefined) return known;
    if (this.#specs.has(full)) throw internalError('scope', 'a parameter is named once', full);
    const tensor = parameter(full, shape);
    this.#specs.set(full, { name: full, shape, initial });
    this.#tensors.set(full, tensor);
    return tensor;
  }

  /** All parameters named so far, over the whole tree. */
  get specs(): ReadonlyMap<string, ParameterSpec> {
    return this.#specs;
  }

  /** Their graph tensors, by name. */
  get tensors(): ReadonlyMap<string, Tensor> {
    return this.#tensors;
  }
}

export const ZEROS: Initial = { constant: 0 };
export const ONES: Initial = { constant: 1 };
/** Keeps the variance of what flows through: normal with variance 1 / fanIn. */
export const fanIn = (count: number): Initial => ({ normal: 1 / Math.sqrt(count) });
