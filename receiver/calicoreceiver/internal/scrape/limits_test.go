package scrape

import (
	"fmt"
	"strings"
	"testing"

	promconfig "github.com/prometheus/prometheus/config"
	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	const exposition = "# TYPE felix_log_errors counter\nfelix_log_errors{kind=\"a\",severity=\"warning\"} 1\nfelix_log_errors{kind=\"b\"} 2\n"
	drop := []map[string]any{{"source_labels": []any{"kind"}, "regex": "b", "action": "drop"}}
	cases := []struct {
		name   string
		limits Limits
		rules  []map[string]any
		err    string // in the error of the last scrape; empty is up
	}{
		{"the defaults", Limits{}, nil, ""},
		{"within all limits", Limits{BodySizeLimit: "1KB", SampleLimit: 2, LabelLimit: 5, LabelNameLengthLimit: 8, LabelValueLengthLimit: 40}, nil, ""},
		{"samples that are dropped do not count", Limits{SampleLimit: 1}, drop, ""},
		{"the body is too large", Limits{BodySizeLimit: "100B"}, nil, "body size limit exceeded"},
		{"too many samples", Limits{SampleLimit: 1}, nil, "sample limit exceeded"},
		{"too many labels", Limits{LabelLimit: 4}, nil, "label_limit exceeded"},
		{"the name of a label is too long", Limits{LabelNameLengthLimit: 7}, nil, "label_name_length_limit exceeded"},
		{"the value of a label is too long", Limits{LabelValueLengthLimit: 6}, nil, "label_value_length_limit exceeded"},
	}
	var jobs []Job
	for _, tc := range cases {
		jobs = append(jobs, job(tc.name, Settings{Limits: tc.limits, MetricRelabelConfigs: tc.rules}))
	}
	s, sink := startJobs(t, nopSettings(), jobs...)
	addresses := map[string]string{}
	for _, tc := range cases {
		addresses[tc.name], _ = serve(t, exposition)
		require.NoError(t, s.Update(tc.name, []Target{{Address: addresses[tc.name]}}))
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			address := addresses[tc.name]
			require.Eventually(t, func() bool { p, _ := newest(sink, address, "up"); return p != nil }, patience, interval/10)
			p, _ := newest(sink, address, "felix_log_errors")
			require.Equal(t, tc.err != "", s.BeyondLimits(tc.name)[address])
			if tc.err == "" {
				require.NoError(t, s.LastErrors(tc.name)[address])
				require.NotNil(t, p)
				return
			}
			require.ErrorContains(t, s.LastErrors(tc.name)[address], tc.err)
			require.Nil(t, p, "nothing of the scrape is kept")
		})
	}
}

func TestDefaultLimitsLetTheLargestExpositionPass(t *testing.T) {
	const series = 200_000
	sc := &promconfig.ScrapeConfig{}
	require.NoError(t, (&Limits{}).applyLimits(sc))
	line := fmt.Sprintf("ipam_allocations_in_use{ippool=%q,node=%q} 123\n", strings.Repeat("p", 60), strings.Repeat("n", 63))
	require.Less(t, series*len(line), int(sc.BodySizeLimit))
	require.LessOrEqual(t, series, int(sc.SampleLimit))
	require.Less(t, 253, int(sc.LabelValueLengthLimit), "the longest name of a node")
}
