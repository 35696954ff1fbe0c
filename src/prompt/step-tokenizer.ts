/**
 * Step-LLM's tokenizer: a sentencepiece model between BOS and EOS, padded.
 * Does not know how sentencepiece cuts text, nor the encoder that takes the ids.
 */
import { checkpointError } from '../errors.ts';
import { SentencePieceModel } from './sentencepiece.ts';
import { pieceType } from './sentencepiece-proto.ts';
import { readBytes } from './token-file.ts';
import type { TokenIds } from './wordpiece.ts';

/** Ids that the official tokenizer fixes, whatever the model file says; padding is EOS. */
const bos = 1;
const eos = 2;
/** Token count that the system gives this tokenizer. */
export const llmTokens = 320;

/** Control pieces that every Step-LLM model holds; written in a prompt they are ordinary text. */
export const controlPieces = [
  '<|BOT|>',
  '<|EOT|>',
  '<|CALL_START|>',
  '<|CALL_END|>',
  '<|THINK_START|>',
  '<|THINK_END|>',
] as const;
/** Pieces that every Step-LLM model holds, of any type. */
export const maskPieces = ['<|MASK_1e69f|>', '<|UNMASK_1e69f|>'] as const;

/** Text to ids of Step-LLM. */
export class StepTokenizer {
  readonly model: SentencePieceModel;
  readonly maxLength: number;

  /** `name`: the model's file, for errors. @throws checkpoint error where a piece that Step-LLM needs is missing. */
  constructor(model: SentencePieceModel, name: string, maxLength: number = llmTokens) {
    const isSpecial = (id: number): boolean =>
      model.typeOf(id) === pieceType.control || model.typeOf(id) === pieceType.unknown;
    const missing = [
      ...controlPieces.filter((piece) => {
        const id = model.idOf(piece);
        return id === undefined || !isSpecial(id);
      }),
      ...maskPieces.filter((piece) => model.idOf(piece) === undefined),
    ];
    if (missing.length > 0) {
      throw checkpointError(
        `tokenizer ${name}`,
        'must hold the pieces of Step-LLM',
        `a model without ${missing.join(' ')}`,
      );
    }
    this.model = model;
    this.maxLength = maxLength;
  }

  /** `BOS … EOS`, cut to and padded to `maxLength` with EOS. */
  encode(text: string): TokenIds {
    const ids = new Int32Array(this.maxLength).fill(eos);
    const body = this.model.encode(text).slice(0, this.maxLength - 2);
    const length = body.length + 2;
    ids[0] = bos;
    ids.set(body, 1);
    return { ids, mask: new Int32Array(this.maxLength).fill(1, 0, length), length };
  }
}

/**
 * Reads a `.model` file. `embeddings`: rows of the encoder's embedding, if known; no id may lie beyond them.
 * @throws checkpoint error that names the file where it is missing, empty, cut short or not Step-LLM's.
 */
export async function loadStepTokenizer(path: string, embeddings?: number): Promise<StepTokenizer> {
  const model = new SentencePieceModel(await readBytes(path), path);
  if (embeddings !== undefined && model.size > embeddings) {
    throw checkpointError(
      `tokenizer ${path}`,
      `must have at most ${embeddings} pieces, as the encoder's config says`,
      model.size,
    );
  }
  return new StepTokenizer(model, path);
}
