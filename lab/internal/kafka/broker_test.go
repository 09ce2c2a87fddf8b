package kafka

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func TestRecordsOfOneKeyComeInOrderFromOnePartition(t *testing.T) {
	broker, err := Start(Options{Listen: "127.0.0.1:0", Topic: "metrics", Partitions: 4})
	require.NoError(t, err)
	t.Cleanup(broker.Close)

	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Address()), kgo.ConsumeTopics("metrics"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	values := []string{"1", "2", "3"}
	for _, value := range values {
		record := &kgo.Record{Topic: "metrics", Key: []byte("cluster"), Value: []byte(value)}
		require.NoError(t, client.ProduceSync(t.Context(), record).FirstErr())
	}
	var got []string
	partitions := map[int32]bool{}
	for len(got) < len(values) {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			got = append(got, string(r.Value))
			partitions[r.Partition] = true
		})
	}
	require.Equal(t, values, got)
	require.Len(t, partitions, 1)
}

func TestWhoHasAnotherPasswordIsNotLetIn(t *testing.T) {
	broker, err := Start(Options{Listen: "127.0.0.1:0", Topic: "metrics", Partitions: 1, User: "agents", Password: "right"})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	for password, right := range map[string]bool{"right": true, "wrong": false} {
		mechanism := scram.Auth{User: "agents", Pass: password}.AsSha512Mechanism()
		client, err := kgo.NewClient(kgo.SeedBrokers(broker.Address()), kgo.SASL(mechanism))
		require.NoError(t, err)
		err = client.Ping(t.Context())
		require.Equal(t, right, err == nil, "%s: %v", password, err)
		client.Close()
	}
}

func TestClientsAreToldTheAddressThatIsAdvertised(t *testing.T) {
	front, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, front.Close()) })
	broker, err := Start(Options{Listen: "127.0.0.1:0", Advertise: front.Addr().String(), Topic: "metrics", Partitions: 1})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	require.Equal(t, front.Addr().String(), broker.Address())
}

func TestOptionsThatCannotBeUsedAreNamed(t *testing.T) {
	require.ErrorContains(t, (&Options{Partitions: 1}).Validate(), "--listen")
	require.ErrorContains(t, (&Options{Listen: "127.0.0.1:0"}).Validate(), "--partitions")
	_, err := Start(Options{Listen: "127.0.0.1:0", Advertise: "nowhere", Partitions: 1})
	require.ErrorContains(t, err, "--advertise")
	_, err = Start(Options{Listen: "127.0.0.1:0", Partitions: 1, CertFile: "nowhere"})
	require.ErrorContains(t, err, "--cert")
}
