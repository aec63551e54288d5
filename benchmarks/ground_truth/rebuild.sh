#!/usr/bin/env bash
# Rebuilds all that is committed here into OUT, and says what differs. Hours on two cores; run it again to go on.
#
#     benchmarks/ground_truth/rebuild.sh DATASETS MODELS OUT
#
# DATASETS: folder of the 29 datasets. MODELS: folder of the models that are fine-tuned beside the zoo's own.
set -euo pipefail
datasets=$1 models=$2 out=$3
here=$(dirname "$0")
sources=(mnist hoda-digits fashion-mnist fashion-products cifar10 tiny-imagenet-100 caltech101 intel-scenes notmnist
  ham10000 pacs-sketch flowers-5)

hf-crosssight ground-truth make-zoo --datasets "${sources[@]/#/$datasets/}" --out "$out/zoo" --offline
python "$here/first_table.py" --zoo "$out/zoo" --zoo "$models" --datasets "$datasets" --out "$out/collected" --offline
python "$here/release.py" --table "$out/collected" --datasets "$datasets" --hardware "$here/hardware" \
  --out "$out/table"
hf-crosssight zoo build --from "$out/zoo" --out "$out/zoo_index" --views structure,card,weights,probe,lineage --offline
python "$here/reference_features.py" --zoo "$out/zoo" --out "$out/features"
python "$here/compare_rebuilt.py" "$out"
