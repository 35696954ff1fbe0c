/** A process that quantizes a checkpoint to int4 and can be killed or starved: SOURCE OUT SHARD_BYTES. */
import { quantizeCheckpoint } from '../../src/weights/quantize-checkpoint.ts';

const [source, out, shardBytes] = process.argv.slice(2) as [string, string, string];
process.on('SIGXFSZ', () => {});
await quantizeCheckpoint(source, { to: 'int4', out, shardBytes: Number(shardBytes) }).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
