// Package kafka is a broker that speaks Kafka's protocol: kfake of franz-go, one broker that keeps its topics in memory. It is good for how clients
// get on with topics, partitions and groups, and says nothing of how Kafka itself keeps or copies data.
package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Options of a broker.
type Options struct {
	// Listen is host:port, with any free port if that is 0.
	Listen string
	// Advertise is the host:port that clients are told to connect to; that of Listen if empty. Something that stands between them and the broker has its own.
	Advertise string
	// Topic is there from the beginning with so many Partitions. Other topics are made when a client asks for them.
	Topic      string
	Partitions int32
	// CertFile and KeyFile are the certificate that it shows; without it there is no TLS.
	CertFile, KeyFile string
	// User and Password let clients in by SCRAM-SHA-512; without a user all are let in.
	User, Password string
}

// Validate says which flag of the command cannot be used.
func (o *Options) Validate() error {
	if o.Listen == "" {
		return errors.New("--listen is required")
	}
	if o.Partitions < 1 {
		return errors.New("--partitions: it is below 1")
	}
	return nil
}

// Broker listens until it is closed.
type Broker struct{ cluster *kfake.Cluster }

// Start starts a broker.
func Start(o Options) (*Broker, error) {
	var advertise net.Addr
	if o.Advertise != "" {
		address, err := net.ResolveTCPAddr("tcp", o.Advertise)
		if err != nil {
			return nil, fmt.Errorf("--advertise: %w", err)
		}
		advertise = address
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.AllowAutoTopicCreation(),
		kfake.DefaultNumPartitions(int(o.Partitions)),
		// kfake knows ports of 127.0.0.1 alone, and advertises the address of its listener.
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			listener, err := net.Listen(network, o.Listen)
			if err != nil || advertise == nil {
				return listener, err
			}
			return advertised{Listener: listener, address: advertise}, nil
		}),
	}
	if o.CertFile != "" {
		certificate, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("--cert, --key: %w", err)
		}
		options = append(options, kfake.TLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}))
	}
	if o.User != "" {
		options = append(options, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", o.User, o.Password))
	}
	if o.Topic != "" {
		options = append(options, kfake.SeedTopics(o.Partitions, o.Topic))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, fmt.Errorf("start a broker on %s: %w", o.Listen, err)
	}
	return &Broker{cluster: cluster}, nil
}

// Address is the host:port that clients are told to connect to.
func (b *Broker) Address() string { return b.cluster.ListenAddrs()[0] }

// Close ends the broker, and with it all that it keeps.
func (b *Broker) Close() { b.cluster.Close() }

// advertised is a listener that tells another address.
type advertised struct {
	net.Listener
	address net.Addr
}

func (a advertised) Addr() net.Addr { return a.address }
