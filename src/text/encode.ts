/**
 * Token ids of a batch → states of both encoders. Padding rules of the two meet here; networks and files are load.ts's.
 */
import { inputError, internalError } from '../errors.ts';
import { float32, int32, type Value } from '../runtime/value.ts';

/** Ids of one text, padded; `mask` is 1 for the first `length` and 0 after. */
export type TokenIds = { readonly ids: Int32Array; readonly mask: Int32Array; readonly length: number };
/** One text for both encoders. */
export type TextTokens = { readonly llm: TokenIds; readonly clip: TokenIds };

/** What the denoiser needs of a batch of texts. */
export type TextEmbedding = {
  /** Step-LLM states [B, L1, D1]. */
  readonly llm: Value;
  /** CLIP states [B, L2, D2], of padding too. */
  readonly clip: Value;
  /** Valid Step-LLM positions of each text, at the front. */
  readonly lengths: readonly number[];
};

export type EncoderFeeds = {
  readonly llm: { readonly ids: Value };
  readonly clip: { readonly ids: Value; readonly mask: Value };
};

/** Ids that an encoder knows, and the longest text that it takes. */
export type EncoderLimits = { readonly vocabulary: number; readonly positions: number };

/**
 * Stacks a batch. Step-LLM gets no more positions than the longest text has unless `whole`: it never looks ahead, so what follows
 * changes nothing before it. CLIP gets them all, since the denoiser attends its padding.
 */
export function encoderFeeds(
  tokens: readonly TextTokens[],
  limits: { readonly llm: EncoderLimits; readonly clip: EncoderLimits },
  whole = false,
): EncoderFeeds {
  if (tokens.length === 0) throw internalError('encodeText', 'needs at least one text', 0);
  const llm = tokens.map((text) => text.llm);
  const clip = tokens.map((text) => text.clip);
  const llmLength = whole ? llm[0]!.ids.length : Math.max(...llm.map((text) => text.length));
  const clipLength = clip[0]!.ids.length;
  const mask = Float32Array.from(clip.flatMap((text) => [...text.mask]));
  return {
    llm: { ids: stack('Step-LLM', llm, llmLength, limits.llm) },
    clip: { ids: stack('CLIP', clip, clipLength, limits.clip), mask: float32(mask, [clip.length, clipLength]) },
  };
}

function stack(encoder: string, texts: readonly TokenIds[], length: number, limits: EncoderLimits): Value {
  if (length > limits.positions)
    throw inputError('encodeText', `${encoder} takes up to ${limits.positions} tokens`, length);
  const ids = new Int32Array(texts.length * length);
  texts.forEach((text, b) => {
    if (text.ids.length < length)
      throw internalError('encodeText', `ids must be padded to one length, ${length}`, text.ids.length);
    const unknown = text.ids.find((id) => !(id >= 0 && id < limits.vocabulary));
    if (unknown !== undefined)
      throw inputError(
        'encodeText',
        `ids for ${encoder} must be below ${limits.vocabulary}`,
        unknown,
        'the tokenizer of this checkpoint',
      );
    ids.set(text.ids.subarray(0, length), b * length);
  });
  return int32(ids, [texts.length, length]);
}
