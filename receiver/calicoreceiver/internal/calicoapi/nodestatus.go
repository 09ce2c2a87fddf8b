package calicoapi

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/nodestatus"
)

const (
	// maxPeriod is the longest period that Calico accepts for a CalicoNodeStatus.
	maxPeriod = 24 * time.Hour
	// maxNodeName is the longest name that a node can have.
	maxNodeName = 253
)

// ParseCalicoNodeStatus reads a CalicoNodeStatus of either API group. Sessions that are established and routes, of which there can be
// thousands, are left behind.
func ParseCalicoNodeStatus(u *unstructured.Unstructured) (nodestatus.Status, error) {
	f := fieldsOf(u)
	classes := f.strings("spec", "classes")
	s := nodestatus.Status{
		Name:         u.GetName(),
		Node:         f.string("spec", "node"),
		ReportsAgent: slices.Contains(classes, "Agent"),
		ReportsBGP:   slices.Contains(classes, "BGP"),
		Period:       period(f, "spec", "updatePeriodSeconds"),
		Created:      f.time("metadata", "creationTimestamp"),
		Updated:      f.time("status", "lastUpdated"),
		V4:           family(f, "V4"),
		V6:           family(f, "V6"),
	}
	if s.Node == "" || len(s.Node) > maxNodeName {
		f.fail([]string{"spec", "node"}, "must be the name of a node")
	}
	if err := f.failed("caliconodestatus", u); err != nil {
		return nodestatus.Status{}, err
	}
	return s, nil
}

// period is a number of seconds; without one calico-node does not look at the object, as with 0 (node/pkg/status/nodestatus.go, onUpdates).
func period(f *fields, path ...string) time.Duration {
	seconds := orZero(f.int(path...))
	if seconds < 0 || seconds > int64(maxPeriod/time.Second) {
		f.fail(path, "must be 0 to 86400 seconds")
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// family reads what there is of an IP family, by the suffix of its fields.
func family(f *fields, suffix string) nodestatus.Family {
	fam := nodestatus.Family{
		BIRD:           f.string("status", "agent", "bird"+suffix, "state"),
		Established:    f.count("status", "bgp", "numberEstablished"+suffix),
		NotEstablished: f.count("status", "bgp", "numberNotEstablished"+suffix),
	}
	f.each(func(peer *fields) {
		p := nodestatus.Peer{Address: peer.string("peerIP"), Type: peer.string("type"), State: peer.string("state")}
		if p.State != nodestatus.StateEstablished {
			fam.Down = append(fam.Down, p)
		}
	}, "status", "bgp", "peers"+suffix)
	return fam
}
