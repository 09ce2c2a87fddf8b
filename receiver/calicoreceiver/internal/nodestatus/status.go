// Package nodestatus turns what calico-node writes into CalicoNodeStatus, one object a node that an administrator creates, into facts about
// the BGP sessions of the nodes. It is pure: objects are read by package calicoapi, and the time is passed in.
package nodestatus

import "time"

// Status is what is read of a CalicoNodeStatus (Calico: api/pkg/apis/projectcalico/v3/nodestatus.go).
type Status struct {
	// Name of the object, and the node that it is about, which its name need not be.
	Name, Node string
	// ReportsAgent and ReportsBGP say whether the object asks for the classes of those names. Calico leaves what is there of a class that is not
	// asked for any more as it was.
	ReportsAgent, ReportsBGP bool
	// Period is how often calico-node looks whether there is something new to write; 0 is never.
	Period time.Duration
	// Created is when the object was, and Updated when calico-node last wrote it, by the clock of the node; zero is never.
	Created, Updated time.Time
	// V4 and V6 are what runs for each IP family: Calico has a BIRD process and sessions for each.
	V4, V6 Family
}

// Family is what a CalicoNodeStatus says of one IP family.
type Family struct {
	// BIRD is Ready or NotReady; empty where Calico did not say.
	BIRD string
	// Established and NotEstablished are numbers of sessions.
	Established, NotEstablished int
	// Down are the sessions that are not established; the others are not kept, since a full mesh has as many as nodes.
	Down []Peer
}

func (f Family) hasSessions() bool {
	return f.Established > 0 || f.NotEstablished > 0 || len(f.Down) > 0
}

// Peer is one BGP session of a node.
type Peer struct {
	// Address of the other side as Calico spells it.
	Address string
	// Type is NodeMesh, NodePeer or GlobalPeer.
	Type string
	// State is Idle, Connect, Active, OpenSent, OpenConfirm, Established or Close.
	State string
}

// States that decide something.
const (
	StateEstablished = "Established"
	birdReady        = "Ready"
	birdNotReady     = "NotReady"
)

// Unknown stands for a state, type or address that Calico leaves out, or that is none it can have. Calico leaves out the state of a session
// that is switched off (node/pkg/status/populators/peers.go knows no "Down").
const Unknown = "Unknown"

// states are those a session can be in, in the order in which they are reported.
var states = []string{StateEstablished, "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Close", Unknown}

// types are where a session can come from.
var types = []string{"NodeMesh", "NodePeer", "GlobalPeer"}
