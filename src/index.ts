/**
 * The public API: an explicit list of names, nothing else.
 */

export { type ErrorKind, StepVideoError } from './errors.ts';
export { type GenerateEvent, type GenerateOptions, generate } from './generate.ts';
export { type LatentShape, readLatents, type SavedLatents, writeLatents } from './latents.ts';
export { type Diagnosis, diagnose } from './machine/doctor.ts';
export { modelDirectory } from './model-directory.ts';
export { loadPipeline, type Pipeline, type PipelineOptions } from './pipeline.ts';
export { PRESETS, type Preset, presetOf } from './presets.ts';
export { type PullEvent, type PullOptions, type PullRequest, pull, type Snapshot } from './pull.ts';
export {
  type GenerateRequest,
  parseRequest,
  type RequestIssue,
  requestIssues,
  type SamplingRequest,
} from './request.ts';
