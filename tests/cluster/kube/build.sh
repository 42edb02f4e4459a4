#!/usr/bin/env bash
# Builds the one program that holds a whole Kubernetes: build.sh OUTDIR. 5 to 8 minutes on 2 cores the first time.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd); cd "$(dirname "$0")"
version=$(sed -n 's/^\tk8s.io\/kubernetes \(v[0-9.]*\).*/\1/p' go.mod)
minor=${version#v1.}; minor=${minor%%.*}
package=k8s.io/component-base/version
go build -trimpath -ldflags "-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor" -o "$out/kube" .
for component in etcd coredns kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy provisioner kubectl; do
  ln -sf kube "$out/$component"
done
