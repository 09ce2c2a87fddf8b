package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	// Ports are taken from below the range that the kernel gives to outgoing connections, so that none of those takes a
	// chosen port before the part that it was chosen for listens.
	lowestPort   = 20000
	highestPort  = 32000
	portAttempts = 200
)

// FreePorts returns n different ports on which nothing listens, on any address.
func FreePorts(n int) ([]int, error) {
	chosen := make([]int, 0, n)
	taken := map[int]bool{}
	for range portAttempts {
		if len(chosen) == n {
			return chosen, nil
		}
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if taken[port] || !portFree(port) {
			continue
		}
		taken[port] = true
		chosen = append(chosen, port)
	}
	return nil, errors.New("find free ports: none left")
}

func portFree(port int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		if err := listener.Close(); err != nil {
			return false
		}
	}
	return true
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
