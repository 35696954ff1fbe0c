/**
 * Whether what the runtime frees leaves the process. The GNU C library keeps freed blocks below a size that grows with use up to
 * 32 MB, where most weights of a convolution lie: opening the official decoder's middle then holds 3.8 times its weights in
 * place of 1.1. Only the environment that a process begins with can forbid it.
 */

/** Blocks from 1 MiB on are given back at once. Other libraries ignore it. */
export const FREEING_ENVIRONMENT: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: '1048576',
  MALLOC_TRIM_THRESHOLD_: '1048576',
};

/** True where this process began with such an environment. */
export const freesMemory = (environment: Readonly<Record<string, string | undefined>> = process.env): boolean =>
  Object.keys(FREEING_ENVIRONMENT).every((name) => environment[name] !== undefined);
