#!/usr/bin/env bash
# Trains the mini model of the richer world from nothing, stage by stage. Running it again goes on where it stopped. Many
# hours on two cores. The weights in models/mini are of the smaller world before it: its runs are those of commit 390c647.
set -euo pipefail
cd "$(dirname "$0")/.."

run() { node --import tsx src/cli/main.ts "$@"; }

run data build
run train features --config runs/features.json
run train vae --config runs/vae-1-stills.json
run train vae --config runs/vae-2-video.json
run train dit --config runs/dit-1-stills.json
run train dit --config runs/dit-2-clips.json
run train vae --config runs/vae-3-decoder.json
run train dit --config runs/dit-3-tuned.json
run eval --model checkpoints/dit-3-tuned/last --plain-prompts
node --import tsx scripts/training-card.ts checkpoints/{vae-1-stills,vae-2-video,vae-3-decoder,dit-1-stills,dit-2-clips,dit-3-tuned}
