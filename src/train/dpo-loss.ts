/**
 * The loss of Video-DPO for flow matching: a policy is to predict the preferred video better, against a frozen reference, than
 * the other one. Knows errors of predictions only; report §4.4, with Diffusion-DPO's log-ratio.
 */
import { abs, add, exp, log, maximum, mean, mul, neg, square, sub, type Tensor } from '../tensor/index.ts';

/** Mean squared error of each sample's velocity: [B, ...] -> [B]. */
export const sampleErrors = (predicted: Tensor, velocity: Tensor): Tensor =>
  mean(
    square(sub(predicted, velocity)),
    velocity.shape.slice(1).map((_, i) => i + 1),
  );

/** Errors [B] of the policy and of the reference, on the preferred videos and on the others, with the same noise and time. */
export type PreferenceErrors = Record<'winner' | 'loser' | 'referenceWinner' | 'referenceLoser', Tensor>;

/** Logits [B] = -beta ((e_w - e_w,ref) - (e_l - e_l,ref)), loss = mean of -log sigmoid(logits). */
export function dpoLoss(errors: PreferenceErrors, beta: number): { loss: Tensor; logits: Tensor } {
  const gain = sub(sub(errors.winner, errors.referenceWinner), sub(errors.loser, errors.referenceLoser));
  const logits = mul(gain, -beta);
  return { loss: mean(softplus(neg(logits))), logits };
}

/** log(1 + e^x), also where e^x would overflow. */
const softplus = (x: Tensor): Tensor => add(maximum(x, 0), log(add(exp(neg(abs(x))), 1)));
