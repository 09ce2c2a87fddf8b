package calicoapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/nodestatus"
)

func TestParseCalicoNodeStatus(t *testing.T) {
	s, err := ParseCalicoNodeStatus(testdata(t, "caliconodestatus-dual-stack"))
	require.NoError(t, err)
	require.Equal(t, nodestatus.Status{
		Name: "status-of-node-1", Node: "node-1", ReportsAgent: true, ReportsBGP: true, Period: 10 * time.Second,
		Created: time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC), Updated: time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC),
		V4: nodestatus.Family{BIRD: "Ready", Established: 2, NotEstablished: 2, Down: []nodestatus.Peer{
			{Address: "192.0.2.1", Type: "GlobalPeer", State: "Active"}, {Address: "192.0.2.2", Type: "NodePeer"},
		}},
		V6: nodestatus.Family{BIRD: "NotReady", Established: 1, NotEstablished: 1, Down: []nodestatus.Peer{
			{Address: "2001:db8::12", Type: "NodeMesh", State: "OpenConfirm"},
		}},
	}, s)

	s, err = ParseCalicoNodeStatus(testdata(t, "caliconodestatus-never-written"))
	require.NoError(t, err)
	require.Equal(t, nodestatus.Status{
		Name: "node-2", Node: "node-2", ReportsBGP: true, Period: time.Minute, Created: time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC),
	}, s)
}

func TestSessionsOfAFullMeshAreNotKept(t *testing.T) {
	var peers strings.Builder
	for i := range 299 {
		fmt.Fprintf(&peers, "  - {peerIP: 192.0.%d.%d, type: NodeMesh, state: Established, since: '2026-06-30'}\n", i/256, i%256)
	}
	s, err := ParseCalicoNodeStatus(object(t, "apiVersion: v1\nkind: CalicoNodeStatus\nmetadata: {name: node-1}\nspec: {node: node-1}\n"+
		"status:\n bgp:\n  numberEstablishedV4: 299\n  peersV4:\n"+peers.String()))
	require.NoError(t, err)
	require.Equal(t, 299, s.V4.Established)
	require.Nil(t, s.V4.Down)
}

func TestNodeStatusWithoutAPeriodIsSwitchedOff(t *testing.T) {
	for _, spec := range []string{"spec: {node: node-1}", "spec: {node: node-1, updatePeriodSeconds: 0}", "spec: {node: node-1, updatePeriodSeconds: null}"} {
		s, err := ParseCalicoNodeStatus(object(t, "apiVersion: v1\nkind: CalicoNodeStatus\nmetadata: {name: node-1}\n"+spec))
		require.NoError(t, err)
		require.Zero(t, s.Period)
	}
}

func TestParseCalicoNodeStatusNamesTheFieldThatIsWrong(t *testing.T) {
	requireNamed(t, "caliconodestatus", ParseCalicoNodeStatus, []wrong{
		{"no node", "spec: {classes: [BGP]}", "spec.node: must be the name of a node"},
		{"no node's name", "spec: {node: " + strings.Repeat("n", 254) + "}", "spec.node: must be the name of a node"},
		{"classes in one word", "spec: {node: node-1, classes: BGP}", "spec.classes: a string instead of a list"},
		{"a negative period", "spec: {node: node-1, updatePeriodSeconds: -10}", "spec.updatePeriodSeconds: must be 0 to 86400 seconds"},
		{"a period of more than a day", "spec: {node: node-1, updatePeriodSeconds: 86401}", "spec.updatePeriodSeconds: must be 0 to 86400 seconds"},
		{"a time in words", "spec: {node: node-1}\nstatus: {lastUpdated: yesterday}", "status.lastUpdated: must be a time"},
		{"a negative number of sessions", "spec: {node: node-1}\nstatus: {bgp: {numberNotEstablishedV6: -1}}", "status.bgp.numberNotEstablishedV6: must not be negative"},
		{"a peer that is a word", "spec: {node: node-1}\nstatus: {bgp: {peersV4: [{}, up]}}", "status.bgp.peersV4: element 1: a string instead of an object"},
		{
			"a state that is a number", "spec: {node: node-1}\nstatus: {bgp: {peersV6: [{state: 6}]}}",
			"status.bgp.peersV6: element 0: state: an integer instead of a string",
		},
		{"BIRD that is a word", "spec: {node: node-1}\nstatus: {agent: {birdV4: Ready}}", "status.agent.birdV4: a string instead of an object"},
	})
}
