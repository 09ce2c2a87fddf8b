#!/bin/bash
# Records how a pool goes in a lab that runs (bin/lab/lab up --state DIR --nodes 24 --felix off), from the root of the repository:
#
#   record.sh DIR PATTERN SEED > PATTERN.csv
#
# Patterns and the seeds of what is beside this file: churn 12, nodes 13, leak 14, day 15, step 16. It makes the pool PATTERN-pool. A step takes as
# long as its addresses, about ten of them a second; the lines of comment in the files were added by hand.
set -eu
state=$1 pattern=$2 RANDOM=$3
bin=bin/lab
pool=$pattern-pool

declare -A cidrs=([churn]=10.81.0.0/21 [nodes]=10.82.0.0/22 [leak]=10.83.0.0/22 [day]=10.84.0.0/22 [step]=10.85.0.0/22)
cidr=${cidrs[$pattern]}
DATASTORE_TYPE=kubernetes KUBECONFIG=$state/admin.kubeconfig $bin/calicoctl --allow-version-mismatch apply -f - >&2 <<YAML
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: $pool}
spec: {cidr: $cidr, blockSize: 26, nodeSelector: all()}
YAML

allocate() { # NODE COUNT; a full pool gives what it has
  [ "$2" -le 0 ] || $bin/lab allocate --state "$state" --pool "$pool" --node "node-$1" -n "$2" >/dev/null || true
}
release() { # COUNT
  [ "$1" -le 0 ] || $bin/lab release --state "$state" --pool "$pool" -n "$1" >/dev/null
}
any() { echo $((1 + RANDOM % 24)); }
used=0
look() { # STEP
  local row
  row=$($bin/lab ipam show --state "$state" --show-blocks | awk -F'|' -v cidr="$cidr" '
    function trim(s) { gsub(/^ +| +$/, "", s); return s }
    BEGIN { split(cidr, pool, ".") }
    { kind = trim($2); split(trim($3), at, "."); n = trim($5); sub(/ .*/, "", n) }
    kind == "IP Pool" && trim($3) == cidr { used = n }
    kind == "Block" && at[1] == pool[1] && at[2] == pool[2] { blocks++ }
    END { printf "%d,%d", used, blocks }')
  used=${row%,*}
  echo "$1,$row"
}

echo step,allocated,blocks
case $pattern in
churn)
  for i in $(seq 0 239); do
    allocate "$(any)" $((RANDOM % 9))
    if [ $((i % 6)) = 2 ]; then allocate "$(any)" 30; allocate "$(any)" 30; fi
    if [ $((i % 6)) = 3 ]; then release 60; fi
    look "$i"
  done ;;
nodes)
  nodes=2
  allocate 1 12; allocate 2 12
  for i in $(seq 0 219); do
    if [ $((RANDOM % 11)) = 0 ] && [ $nodes -lt 24 ]; then nodes=$((nodes + 1)); allocate $nodes $((8 + RANDOM % 8)); fi
    allocate $((1 + RANDOM % nodes)) $((RANDOM % 4))
    if [ $((RANDOM % 4)) = 0 ]; then release $((RANDOM % 5)); fi
    look "$i"
  done ;;
leak)
  for node in $(seq 1 24); do allocate "$node" 8; done
  for i in $(seq 0 199); do
    n=$((RANDOM % 13)); allocate "$(any)" $n; release $n
    n=$((RANDOM % 7 - 3)); allocate "$(any)" $n; release $((-n))
    if [ "$i" -ge 100 ]; then allocate 7 $((6 + RANDOM % 8)); fi
    look "$i"
    if [ "$used" -ge 1020 ]; then break; fi
  done ;;
day)
  for i in $(seq 0 239); do
    n=$(awk -v t="$i" -v noise=$((RANDOM % 13 - 6)) -v used="$used" 'BEGIN {
      printf "%d", int(150 + 2 * t + 80 * sin((t - 8) * 3.14159265 / 12) + noise) - used }')
    if [ "$n" -gt 0 ]; then allocate "$(any)" $((n / 2)); allocate "$(any)" $((n - n / 2)); else release $((-n)); fi
    look "$i"
  done ;;
step)
  for node in $(seq 1 20); do allocate "$node" 5; done
  level=100
  for i in $(seq 0 139); do
    n=$((RANDOM % 17 - 8))
    if [ "$i" -gt 0 ]; then n=$((n + (level - used) / 2)); fi
    if [ "$i" = 70 ]; then for node in $(seq 1 20); do allocate "$node" 15; done; level=400 n=0; fi
    allocate "$(any)" $n; release $((-n))
    look "$i"
  done ;;
esac
