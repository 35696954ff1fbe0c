/**
 * What both forms of a torch checkpoint come down to: the pickled value, and where each storage lies in the file.
 * Does not know how either form is found; does not interpret the value.
 */
import { checkpointError, type StepVideoError } from '../errors.ts';
import type { PickleValue } from './pickle-values.ts';

/** `offsets`: absolute byte offset of each storage by its key, checked to lie in the file. */
export type TorchLayout = { readonly root: PickleValue; readonly offsets: ReadonlyMap<string, number> };

export const torchError = (
  path: string,
  rule: string,
  got?: unknown,
  hint = 'downloading the file again',
): StepVideoError => checkpointError(`torch file ${path}`, rule, got, hint);
