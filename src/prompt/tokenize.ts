/**
 * Prompt to tokens: both tokenizers of a checkpoint directory, and the words they do not know.
 * Does not know the suffixes that a pipeline adds to a prompt, nor the encoders.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { inputError } from '../errors.ts';
import { loadStepTokenizer, type StepTokenizer } from './step-tokenizer.ts';
import { readJson } from './token-file.ts';
import { loadWordPiece, type TokenIds, type WordPieceTokenizer } from './wordpiece.ts';

export { llmTokens } from './step-tokenizer.ts';
export { clipTokens, type TokenIds } from './wordpiece.ts';

/** One prompt for both encoders. `llm`: 320 ids; `clip`: 77 ids or what its config says. */
export type PromptTokens = { llm: TokenIds; clip: TokenIds };

/** Both tokenizers of a checkpoint. */
export type Tokenizers = {
  readonly llm: StepTokenizer;
  readonly clip: WordPieceTokenizer;
  /** Ids of `text`, as it stands. @throws input error where it is not a string. */
  tokenizePrompt(text: string): PromptTokens;
  /**
   * Words and emoji of `text` that a tokenizer can only spell: that become [UNK] for CLIP, or bytes or
   * the unknown piece for Step-LLM. Each once, in order, as written.
   */
  unknownWords(text: string): string[];
};

const count = z.number().int().positive().optional();
const clipConfig = z.looseObject({ vocab_size: count });
const llmConfig = z.looseObject({ padded_vocab_size: count });

/**
 * Reads `hunyuan_clip/tokenizer/` and `step_llm/step1_chat_tokenizer.model` below `checkpoint`, and holds their
 * sizes against the encoders' `config.json` where those exist.
 * @throws checkpoint error that names the file.
 */
export async function loadTokenizers(checkpoint: string): Promise<Tokenizers> {
  const clipSize = await readJson(join(checkpoint, 'hunyuan_clip/clip_text_encoder/config.json'), clipConfig);
  const llmSize = await readJson(join(checkpoint, 'step_llm/config.json'), llmConfig);
  const clip = await loadWordPiece(join(checkpoint, 'hunyuan_clip/tokenizer'), clipSize.vocab_size);
  const llm = await loadStepTokenizer(
    join(checkpoint, 'step_llm/step1_chat_tokenizer.model'),
    llmSize.padded_vocab_size,
  );
  return {
    llm,
    clip,
    tokenizePrompt: (text) => {
      if (typeof text !== 'string') throw inputError('tokenize', 'prompt must be a string', typeof text);
      return { llm: llm.encode(text), clip: clip.encode(text) };
    },
    unknownWords: (text) => unknownWords(text, llm, clip),
  };
}

const words = new Intl.Segmenter('en', { granularity: 'word' });

function unknownWords(text: string, llm: StepTokenizer, clip: WordPieceTokenizer): string[] {
  const unknown = new Set<string>();
  for (const { segment, index } of words.segment(text)) {
    if (!/[\p{L}\p{N}\p{Extended_Pictographic}\p{Regional_Indicator}]/u.test(segment)) continue; // spaces, punctuation
    // A word inside a run of text, as in Chinese, is not preceded by a space; no other context is looked at.
    const dummyPrefix = index === 0 || /\s/.test(text[index - 1]!) ? undefined : false;
    const known =
      !llm.model.encode(segment, { dummyPrefix }).some((id) => llm.model.isFallback(id)) &&
      !clip.tokenIds(segment).some((id) => clip.isUnknown(id));
    if (!known) unknown.add(segment);
  }
  return [...unknown];
}
