/**
 * Cross-entropy of logits against distributions over classes, in a form that does not overflow.
 */
import { add, exp, log, max, mean, mul, sub, sum, type Tensor } from '../tensor/index.ts';

/** log Σ e^x over the last axis, which is kept with size 1. Gradients through the maximum cancel. */
export function logSumExp(x: Tensor): Tensor {
  const top = max(x, [-1], true);
  return add(log(sum(exp(sub(x, top)), [-1], true)), top);
}

/** Mean over rows of -Σ target · log softmax(logits); both [N, classes], each target row sums to 1. */
export const crossEntropy = (logits: Tensor, targets: Tensor): Tensor =>
  mean(sum(mul(targets, sub(logSumExp(logits), logits)), [-1]));
