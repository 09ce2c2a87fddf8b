package scrape

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/oneof"
)

// Profile says which metric families of a component enter the pipeline.
type Profile string

const (
	// ProfileEssential leaves out what Essential lists. It is what an empty profile means.
	ProfileEssential Profile = "essential"
	// ProfileAll leaves out nothing.
	ProfileAll Profile = "all"
)

func (p Profile) validate() error {
	if p == "" {
		return nil
	}
	return oneof.Check("profile", p, ProfileEssential, ProfileAll)
}

// Drop is a set of metric families that the essential profile leaves out.
type Drop struct {
	// Job is the value of the label job that the rule is for; empty is all.
	Job string
	// Families are names of metrics; a * at the end stands for any rest.
	Families []string
	// Reason says why few miss them.
	Reason string
}

var essential = []Drop{
	{
		Families: []string{"go_*", "process_*"},
		Reason:   "the Go runtime and the process, 44 series of every component; the kubelet already measures its CPU and memory",
	},
	{
		Families: []string{"promhttp_*"},
		Reason:   "the metrics server on itself; up and scrape_* say the same from outside",
	},
	{
		Job:      calicometric.JobKubeControllers,
		Families: []string{"ipam_allocations_per_node", "ipam_allocations_borrowed_per_node", "ipam_blocks_per_node"},
		Reason:   "kept by Calico for old queries: sums over the pools of ipam_allocations_in_use, ipam_allocations_borrowed and ipam_blocks",
	},
	{
		Job:      calicometric.JobFelix,
		Families: []string{"wireguard_bytes_rcvd", "wireguard_bytes_sent", "wireguard_latest_handshake_seconds"},
		Reason:   "one series a pair of nodes, 3 million in a cluster of 1,000; wireguard_meta, one a node, stays",
	},
	{
		Job:      calicometric.JobOperator,
		Families: []string{"controller_runtime_*", "workqueue_*", "rest_client_*", "certwatcher_*", "leader_election_*"},
		Reason:   "the framework that the operator is built with; what it knows of Calico is tigera_operator_*",
	},
}

// Essential lists what the essential profile leaves out.
func Essential() []Drop { return slices.Clone(essential) }

// relabelConfigs drop what the profile leaves out of a job before it becomes data of the pipeline. Prometheus remembers a dropped series by its
// text, so that the rule costs nothing from the second scrape on.
func (p Profile) relabelConfigs(job string) []*relabel.Config {
	if p == ProfileAll {
		return nil
	}
	var patterns []string
	for _, d := range essential {
		if d.Job != "" && d.Job != job {
			continue
		}
		for _, family := range d.Families {
			patterns = append(patterns, strings.ReplaceAll(regexp.QuoteMeta(family), `\*`, `.*`))
		}
	}
	drop := relabel.DefaultRelabelConfig
	drop.Action = relabel.Drop
	drop.SourceLabels = model.LabelNames{model.MetricNameLabel}
	drop.Regex = relabel.MustNewRegexp(strings.Join(patterns, "|"))
	drop.NameValidationScheme = model.UTF8Validation
	return []*relabel.Config{&drop}
}
