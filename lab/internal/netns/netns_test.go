package netns

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPairAt(t *testing.T) {
	for _, test := range []struct {
		index        int
		host, inside string
	}{
		{0, "198.18.0.1", "198.18.0.2"},
		{1, "198.18.0.5", "198.18.0.6"},
		{64, "198.18.1.1", "198.18.1.2"},
		{pairs - 1, "198.19.255.253", "198.19.255.254"},
	} {
		host, inside := pairAt(test.index)
		require.Equal(t, test.host, host.String())
		require.Equal(t, test.inside, inside.String())
	}
}

func TestFreeSkipsNetworksInUse(t *testing.T) {
	_, used, err := net.ParseCIDR("198.18.0.4/30")
	require.NoError(t, err)
	host, _ := pairAt(1)
	require.False(t, free([]net.Addr{used}, host))
	host, _ = pairAt(2)
	require.True(t, free([]net.Addr{used}, host))
}

func echoServer(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				_, _ = io.Copy(connection, connection)
			}()
		}
	}()
	return listener.Addr().String()
}

func TestForwarderCarriesBothDirectionsUntilItIsClosed(t *testing.T) {
	forwarder, err := NewForwarder("127.0.0.1", echoServer(t))
	require.NoError(t, err)
	connection, err := net.Dial("tcp", forwarder.Address())
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "ping")
	require.NoError(t, err)
	answer := make([]byte, 4)
	_, err = io.ReadFull(connection, answer)
	require.NoError(t, err)
	require.Equal(t, "ping", string(answer))

	require.NoError(t, forwarder.Close())
	_, err = connection.Read(answer)
	require.Error(t, err)
	_, err = net.Dial("tcp", forwarder.Address())
	require.Error(t, err)
}
