/**
 * Tells a failure for want of memory from every other. Knows the words of the runtime and of the engine.
 */

/** Arena and allocator of ONNX Runtime, the C++ library, and JavaScript's own arrays. */
const WORDS = /bad_alloc|bad allocation|failed to allocate memory|array buffer allocation failed|out of memory/i;

/** Whether `error`, or what caused it, says that memory ran out. */
export function isOutOfMemory(error: unknown): boolean {
  if (!(error instanceof Error)) return WORDS.test(String(error));
  return WORDS.test(error.message) || (error.cause !== undefined && isOutOfMemory(error.cause));
}
