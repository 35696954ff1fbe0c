/**
 * The Video-VAE as a run trains it: whole, or its 4x8x8 core alone, where latents lie straight behind the mid block and the dual
 * paths are left out (report §4.1.4: the core first, then the dual paths). The core's own two convolutions belong to the run and
 * not to the checkpoint.
 */
import { causalConv } from '../nn/conv.ts';
import type { Scope } from '../nn/scope.ts';
import { type AttentionForm, silu, type Tensor } from '../tensor/index.ts';
import { norm } from '../vae/block.ts';
import { decoder, decoderStages } from '../vae/decoder.ts';
import { encoder, type Observe } from '../vae/encoder.ts';
import type { VaeTraining } from './config.ts';

type Pass = (x: Tensor, observe?: Observe) => Tensor;

/** Pixels [B, T, 3, H, W] to moments, and latents to pixels; both tell `observe` of their stages. */
export type Autoencoder = { readonly encode: Pass; readonly decode: Pass };

/** Begins the names of the core's own weights. */
export const CORE = 'core';

/** What the encoder's mid block gives, [B, 5, C, H/8, W/8] for 17 frames. */
const LAST_OF_CORE = 'encoder.mid.block_2';

export function autoencoder(
  scope: Scope,
  { model, core }: Pick<VaeTraining, 'model' | 'core'>,
  { form, flat = false }: { form: AttentionForm; flat?: boolean },
): Autoencoder {
  const whole = {
    encode: encoder(scope.at('encoder'), model, form),
    decode: decoder(scope.at('decoder'), model, { form, flat }),
  };
  if (core === undefined) return whole;
  const top = (sizes: { ch: number; ch_mult: number[] }): number => sizes.ch * sizes.ch_mult.at(-1)!;
  const own = scope.at(CORE);
  const toMoments = causalConv(own.at('encoder'), [top(model.encoder), 2 * core.z_channels], { kernel: 3 });
  const fromLatents = causalConv(own.at('decoder'), [core.z_channels, top(model.decoder)], { kernel: 3 });
  const normOut = norm(scope.reused().at('encoder').at('norm_out'), top(model.encoder), model);
  // The first stage is the dual paths.
  const stages = decoderStages(scope.reused().at('decoder'), model, { form, flat }).slice(1);
  return {
    encode(pixels, observe = () => {}) {
      let last: Tensor | undefined;
      whole.encode(pixels, (name, x) => {
        if (last === undefined) observe(name, x);
        if (name === LAST_OF_CORE) last = x;
      });
      return toMoments(silu(normOut(last!)));
    },
    decode: (latents, observe = () => {}) => stages.reduce((x, stage) => stage.run(x, observe), fromLatents(latents)),
  };
}
