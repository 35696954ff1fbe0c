#!/usr/bin/env bash
# Trains the mini model from nothing, stage by stage, and scores it: docs/mini.md has the hours and the figures. Running it
# again goes on where it stopped. Options are for the last evaluation, such as `--triples 40`.
set -euo pipefail
cd "$(dirname "$0")/.."

run() { node --import tsx src/cli/main.ts "$@"; }

run data build
run train features --config runs/features.json
run train vae --config runs/vae-1-stills.json
run train vae --config runs/vae-2-video.json
run train vae --config runs/vae-3-decoder.json
run train vae --config runs/vae-4-decoder.json
run train dit --config runs/dit-1-stills.json
run train dit --config runs/dit-2-clips.json
run train dit --config runs/dit-3-tuned.json
run train dit --config runs/dit-4-forms.json
run eval --model checkpoints/dit-4-forms/last --plain-prompts "$@"
node --import tsx scripts/training-card.ts checkpoints/{vae-1-stills,vae-2-video,vae-3-decoder,vae-4-decoder,dit-1-stills,dit-2-clips,dit-3-tuned,dit-4-forms}
