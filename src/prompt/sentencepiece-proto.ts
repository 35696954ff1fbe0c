/**
 * The `.model` file of sentencepiece: the published protobuf schema (github.com/google/sentencepiece,
 * src/sentencepiece_model.proto), cut down to the fields that tokenization needs, read and written.
 * Does not know how text is cut into pieces.
 */
import protobuf from 'protobufjs';
import { checkpointError } from '../errors.ts';

/** Kind of a piece; the numbers are the file's. */
export const pieceType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
/** How a model cuts text; the numbers are the file's. */
export const modelType = { unigram: 1, bpe: 2, word: 3, char: 4 } as const;

/** One vocabulary entry; its index in the file is its id. `piece` is UTF-8. */
export type PieceProto = { piece: Uint8Array; score: number; type: number };

/** What a `.model` file says, defaults filled in. */
export type ModelProto = {
  pieces: PieceProto[];
  trainerSpec: {
    modelType: number;
    vocabSize: number;
    controlSymbols: string[];
    userDefinedSymbols: string[];
    byteFallback: boolean;
    treatWhitespaceAsSuffix: boolean;
    hardVocabLimit: boolean;
    unkId: number;
    bosId: number;
    eosId: number;
    padId: number;
    unkSurface: string;
  };
  normalizerSpec: {
    name: string;
    precompiledCharsmap: Uint8Array;
    addDummyPrefix: boolean;
    removeExtraWhitespaces: boolean;
    escapeWhitespaces: boolean;
  };
};

// `piece` is a string in the published schema; bytes are the same on the wire and survive malformed UTF-8.
const schema = `
syntax = "proto2";
message TrainerSpec {
  optional int32 model_type = 3 [default = 1];
  optional int32 vocab_size = 4 [default = 8000];
  optional bool treat_whitespace_as_suffix = 24 [default = false];
  repeated string control_symbols = 30;
  repeated string user_defined_symbols = 31;
  optional bool hard_vocab_limit = 33 [default = true];
  optional bool byte_fallback = 35 [default = false];
  optional int32 unk_id = 40 [default = 0];
  optional int32 bos_id = 41 [default = 1];
  optional int32 eos_id = 42 [default = 2];
  optional int32 pad_id = 43 [default = -1];
  optional string unk_surface = 44 [default = " \u2047 "];
}
message NormalizerSpec {
  optional string name = 1;
  optional bytes precompiled_charsmap = 2;
  optional bool add_dummy_prefix = 3 [default = true];
  optional bool remove_extra_whitespaces = 4 [default = true];
  optional bool escape_whitespaces = 5 [default = true];
}
message SentencePiece {
  optional bytes piece = 1;
  optional float score = 2;
  optional int32 type = 3 [default = 1];
}
message ModelProto {
  repeated SentencePiece pieces = 1;
  optional TrainerSpec trainer_spec = 2;
  optional NormalizerSpec normalizer_spec = 3;
}
`;
const messageType = protobuf.parse(schema).root.lookupType('ModelProto');

/**
 * Reads the bytes of a `.model` file; `name` (its path) goes into errors.
 * A file cut short is refused even where the cut falls between two fields: sentencepiece always writes both specs.
 * @throws checkpoint error where the bytes are not a complete sentencepiece model.
 */
export function decodeModel(bytes: Uint8Array, name: string): ModelProto {
  const op = `tokenizer ${name}`;
  if (bytes.length === 0) throw checkpointError(op, 'must be a sentencepiece model', 'an empty file');
  let model: ModelProto;
  try {
    const message = messageType.decode(bytes);
    model = messageType.toObject(message, { defaults: true, arrays: true }) as ModelProto;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw checkpointError(
      op,
      'must be a complete sentencepiece model',
      `${bytes.length} bytes that do not parse: ${reason}`,
      'copying the file again',
    );
  }
  for (const [field, present] of [
    ['pieces', model.pieces.length > 0],
    ['trainer_spec', Boolean(model.trainerSpec)],
    ['normalizer_spec', Boolean(model.normalizerSpec)],
  ] as const) {
    if (!present) {
      throw checkpointError(
        op,
        'must be a complete sentencepiece model',
        `${bytes.length} bytes without ${field}`,
        'copying the file again',
      );
    }
  }
  return model;
}

/** Bytes of a `.model` file that sentencepiece itself loads. */
export const encodeModel = (model: ModelProto): Uint8Array => messageType.encode(messageType.create(model)).finish();
