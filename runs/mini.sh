#!/usr/bin/env bash
# Rebuilds models/mini from nothing, stage by stage. Running it again goes on where it stopped.
# Some hours on two cores. vae-3-decoder is not part of the shipped model yet; it sharpens the decoder alone.
set -euo pipefail
cd "$(dirname "$0")/.."

run() { node --import tsx src/cli/main.ts "$@"; }

run data build
run train vae --config runs/vae-1-stills.json
run train vae --config runs/vae-2-video.json
run train dit --config runs/dit-1-stills.json
run train dit --config runs/dit-2-clips.json
run train dit --config runs/dit-3-motion.json
run train dit --config runs/dit-4-distinct.json

rm -rf models/mini
cp -r checkpoints/dit-4-distinct/last models/mini
run eval --model models/mini
