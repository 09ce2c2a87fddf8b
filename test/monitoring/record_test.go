//go:build e2e

package monitoring

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// recordedHeader says how the file is made.
const recordedHeader = `# A pool that pods fill until no address is left, and leave later, as a collector saw it in the lab: once a second, which are minutes
# here. Recorded anew by RECORD=monitoring/tests/recorded.yaml and the test in test/monitoring. The label instance, which differs each time, is left out.
rule_files: [../alerts/ip-pools.yaml]
evaluation_interval: 1m

tests:
  - name: A pool that fills is announced, then full, and neither any more when its pods are gone
    interval: 1m
    input_series:
`

// record writes the series of the pool that the test fills as a test of promtool, into a file below the root of the repository.
func (s *site) record(t *testing.T, file string) {
	t.Helper()
	const names = "calico_ipam_pool_(info|utilization_ratio|available|exhaustion_seconds)"
	selector := fmt.Sprintf(`{__name__=~%q,k8s_cluster_name=%q,ippool=%q}`, names, s.cluster, fillingPool)
	end := time.Now()
	value, _, err := s.prom.Query(t.Context(), selector+"["+strconv.Itoa(int(end.Sub(s.began).Seconds()))+"s]", end)
	require.NoError(t, err)
	matrix, ok := value.(model.Matrix)
	require.True(t, ok)
	require.NotEmpty(t, matrix)

	first, last := matrix[0].Values[0].Timestamp, matrix[0].Values[0].Timestamp
	for _, stream := range matrix {
		first = min(first, stream.Values[0].Timestamp)
		last = max(last, stream.Values[len(stream.Values)-1].Timestamp)
	}
	minute := func(at model.Time) int { return int(at.Sub(first).Round(time.Second) / time.Second) }
	var out strings.Builder
	out.WriteString(recordedHeader)
	byName := map[string]map[int]float64{}
	series := map[string]string{}
	for _, stream := range matrix {
		delete(stream.Metric, "instance")
		values := map[int]float64{}
		for _, pair := range stream.Values {
			values[minute(pair.Timestamp)] = float64(pair.Value)
		}
		byName[string(stream.Metric[model.MetricNameLabel])] = values
		series[stream.Metric.String()] = notation(values, minute(last)+1)
	}
	for _, name := range slices.Sorted(maps.Keys(series)) {
		fmt.Fprintf(&out, "      - series: %s\n        values: %s\n", name, series[name])
	}

	// When they have to fire: an alert looks back so many samples, and then waits. They end with the first sample that says so.
	span := func(metric string, holds func(float64) bool) (begins, ends int) {
		begins = -1
		for i := range minute(last) + 1 {
			value, there := byName[metric][i]
			switch {
			case there && holds(value) && begins < 0:
				begins = i
			case there && !holds(value) && begins >= 0:
				return begins, i
			}
		}
		t.Fatalf("%s does not begin and end to be so", metric)
		return 0, 0
	}
	fills, drains := span("calico_ipam_pool_utilization_ratio", func(v float64) bool { return v > 0.85 })
	full, frees := span("calico_ipam_pool_available", func(v float64) bool { return v == 0 })
	fills, full = fills+9+10, full+4+2
	out.WriteString("    promql_expr_test:\n")
	expect := func(alert string, at, firing int) {
		samples := "[]"
		if firing > 0 {
			samples = fmt.Sprintf("[{value: %d}]", firing)
		}
		fmt.Fprintf(&out, "      - expr: count(ALERTS{alertname=%q,alertstate=\"firing\",ippool=%q,k8s_cluster_name=%q})\n", alert, fillingPool, s.cluster)
		fmt.Fprintf(&out, "        eval_time: %dm\n        exp_samples: %s\n", at, samples)
	}
	expect("CalicoIPPoolFilling", fills-1, 0)
	expect("CalicoIPPoolFilling", fills, 1)
	expect("CalicoIPPoolFilling", drains-1, 1)
	expect("CalicoIPPoolFilling", drains, 0)
	expect("CalicoIPPoolFull", full-1, 0)
	expect("CalicoIPPoolFull", full, 1)
	expect("CalicoIPPoolFull", frees-1, 1)
	expect("CalicoIPPoolFull", frees, 0)
	expect("CalicoIPPoolFullSoon", full, 0)
	path := filepath.Join("../..", file)
	require.NoError(t, os.WriteFile(path, []byte(out.String()), 0o644))
	promtool(t, "test", "rules", path)
	t.Logf("%s has %d samples of each series", file, minute(last)+1)
}

// notation is how promtool writes values of successive samples, those that are equal as one.
func notation(values map[int]float64, samples int) string {
	text := func(i int) string {
		if value, ok := values[i]; ok {
			return strconv.FormatFloat(value, 'g', -1, 64)
		}
		return "_"
	}
	var parts []string
	for i := 0; i < samples; {
		n := 1
		for i+n < samples && text(i+n) == text(i) {
			n++
		}
		switch {
		case n == 1:
			parts = append(parts, text(i))
		case text(i) == "_":
			parts = append(parts, fmt.Sprintf("_x%d", n))
		default:
			parts = append(parts, fmt.Sprintf("%sx%d", text(i), n-1))
		}
		i += n
	}
	return strings.Join(parts, " ")
}
