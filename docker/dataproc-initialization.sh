#!/bin/bash
# Initialization action of a Dataproc cluster: installs corpusforge on every node, and compiles its kernels.
#
#   gsutil cp docker/dataproc-initialization.sh constraints.txt dist/corpusforge-0.1.0-py3-none-any.whl gs://BUCKET/corpusforge/
#   gcloud dataproc clusters create NAME --region REGION --image-version 2.3 \
#     --initialization-actions gs://BUCKET/corpusforge/dataproc-initialization.sh \
#     --initialization-action-timeout 20m \
#     --metadata corpusforge-source=gs://BUCKET/corpusforge
#
# Jobs choose this Python by properties of their own, so others on the cluster do not notice it:
#   corpusforge run ... --on dataproc --cluster NAME --installed \
#     --property spark.pyspark.python=/opt/corpusforge/bin/python \
#     --property spark.executorEnv.NUMBA_CACHE_DIR=/var/cache/corpusforge/numba \
#     --property spark.executorEnv.CORPUSFORGE_MODELS=/opt/corpusforge-models
#
# Metadata of the cluster: corpusforge-source, the folder with the wheel and constraints.txt (required);
# corpusforge-models, a folder with models to copy to every node (optional).

set -o errexit -o nounset -o pipefail

readonly HOME_FOLDER=/opt/corpusforge
readonly CACHE=/var/cache/corpusforge/numba
readonly MODELS=/opt/corpusforge-models

source_folder=$(/usr/share/google/get_metadata_value attributes/corpusforge-source)
models=$(/usr/share/google/get_metadata_value attributes/corpusforge-models || true)

# The image's Python stays as it is: Spark and other jobs of the cluster use it. It is only asked for an environment.
python=$(command -v python3.11 || echo /opt/conda/default/bin/python)
"${python}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || { echo "corpusforge needs Python 3.11 or newer, ${python} is older" >&2; exit 1; }
"${python}" -m venv "${HOME_FOLDER}"

work=$(mktemp --directory)
trap 'rm -rf "${work}"' EXIT
gsutil -q cp "${source_folder}/constraints.txt" "${source_folder}/corpusforge-*.whl" "${work}/"
wheel=$(ls "${work}"/corpusforge-*.whl)
"${HOME_FOLDER}/bin/pip" install --no-cache-dir --constraint "${work}/constraints.txt" "${wheel}[quality,pii]" gcsfs pandas

mkdir -p "${CACHE}" "${MODELS}"
if [[ -n "${models}" ]]; then
  gsutil -q -m rsync -r "${models}" "${MODELS}"
fi

# Drivers run as root, executors as yarn: both read the compiled kernels and may add to them.
NUMBA_CACHE_DIR="${CACHE}" "${HOME_FOLDER}/bin/corpusforge" doctor --warm
chmod -R a+rwX /var/cache/corpusforge "${MODELS}"
