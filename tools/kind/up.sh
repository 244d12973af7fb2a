#!/bin/sh
# A kind cluster with everything in it: both images built here, an EC2-speaking server, SkyClust by its chart. Needs Docker, kind, kubectl and helm. Nobody
# has run this where the tests run, since there is no Docker there; what it is put together from is tested.
set -eu
cd "$(dirname "$0")/../.."
for program in docker kind kubectl helm; do
  command -v "$program" >/dev/null || { echo "make kind needs $program: install it" >&2; exit 1; }
done
cluster=skyclust
kind get clusters | grep -qx "$cluster" || kind create cluster --name "$cluster"
for target in skyclust tofu-runner; do
  docker build --target "$target" --tag "$target:dev" .
  kind load docker-image "$target:dev" --name "$cluster"
done
kubectl="kubectl --context kind-$cluster"
$kubectl apply --server-side -f tools/kind/moto.yaml
$kubectl -n moto rollout status deployment/moto --timeout=5m
helm upgrade --install skyclust charts/skyclust --kube-context "kind-$cluster" --namespace skyclust-system --create-namespace \
  --values tools/kind/values.yaml --wait --timeout 5m
$kubectl label --overwrite namespace skyclust-system pod-security.kubernetes.io/enforce=restricted
