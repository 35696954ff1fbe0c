/**
 * The one error grammar of the project: `op: rule, got value (try …)`.
 * Knows how to say what went wrong; does not know who catches it.
 */

/** Kinds that callers branch on: an HTTP front maps `input` to 400, a command line to exit code 2, and so on. */
export type ErrorKind = 'input' | 'checkpoint' | 'data' | 'environment' | 'numeric' | 'aborted' | 'internal';

/** Every error that this project throws on purpose. `message` follows the grammar; `op`, `rule`, `got`, `hint` are its parts. */
export class StepVideoError extends Error {
  override readonly name = 'StepVideoError';
  readonly kind: ErrorKind;
  readonly op: string;
  readonly rule: string;
  readonly got: string | undefined;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, op: string, rule: string, got?: unknown, hint?: string, cause?: unknown) {
    const shown = got === undefined ? undefined : show(got);
    super(`${op}: ${rule}${shown === undefined ? '' : `, got ${shown}`}${hint === undefined ? '' : ` (try ${hint})`}`, {
      cause,
    });
    this.kind = kind;
    this.op = op;
    this.rule = rule;
    this.got = shown;
    this.hint = hint;
  }
}

/** Bad input of a user: a request field, a flag, an option. */
export const inputError = (op: string, rule: string, got?: unknown, hint?: string): StepVideoError =>
  new StepVideoError('input', op, rule, got, hint);

/** A checkpoint or tokenizer file that does not hold what it must. */
export const checkpointError = (op: string, rule: string, got?: unknown, hint?: string): StepVideoError =>
  new StepVideoError('checkpoint', op, rule, got, hint);

/** Our own broken invariant: never the caller's fault. */
export const internalError = (op: string, rule: string, got?: unknown): StepVideoError =>
  new StepVideoError('internal', `internal: ${op}`, rule, got);

/** Short, single-line picture of a value for an error message. */
function show(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 200 ? `${value.slice(0, 200)}… (${value.length} characters)` : value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value) && value.every((v) => typeof v === 'number')) return `[${value.join(', ')}]`;
  const json = JSON.stringify(value);
  return json === undefined ? String(value) : json.length > 300 ? `${json.slice(0, 300)}…` : json;
}
