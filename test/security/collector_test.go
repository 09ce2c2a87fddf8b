//go:build e2e

package security

import (
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// quiet is the log of servers whose clients misbehave.
var quiet = log.New(io.Discard, "", 0)

// collector is a distribution that runs with published configurations.
type collector struct {
	*labtest.Collector
	// health, telemetry, pprof and zpages are the ports of what every configuration opens.
	health, telemetry, pprof, zpages string
}

// startCollector runs a distribution, with some of configs/ and what is given as YAML on top, and returns when it is ready. It ends with the test.
func startCollector(t *testing.T, files []string, env ...string) *collector {
	t.Helper()
	c := &collector{health: labtest.FreePort(t), telemetry: labtest.FreePort(t), pprof: labtest.FreePort(t), zpages: labtest.FreePort(t)}
	c.Collector = labtest.StartCollector(t, paths(files), slices.Concat([]string{
		"STORAGE_DIRECTORY=" + t.TempDir(),
		"CALICO_COLLECTION_INTERVAL=" + interval.String(),
		"HEALTH_CHECK_PORT=" + c.health, "TELEMETRY_METRICS_PORT=" + c.telemetry, "PPROF_PORT=" + c.pprof, "ZPAGES_PORT=" + c.zpages,
	}, env)...)
	host := "localhost"
	for _, setting := range env {
		if ip, ok := cutSetting(setting, "MY_POD_IP"); ok {
			host = ip
		}
	}
	ended := false
	require.Eventually(t, func() bool {
		select {
		case <-c.Ended():
			ended = true
		default:
		}
		status, _, err := get("http://" + net.JoinHostPort(host, c.health))
		return ended || err == nil && status == http.StatusOK
	}, patience, poll, "the collector is ready")
	require.False(t, ended, "the collector ended before it was ready")
	return c
}

// goesOn says that the collector has not ended and is ready.
func (c *collector) goesOn(t *testing.T) {
	t.Helper()
	select {
	case <-c.Ended():
		t.Fatal("the collector has ended")
	default:
	}
	status, _, err := get("http://localhost:" + c.health)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
}

// paths are those of published configurations; what is no file is left as it is.
func paths(files []string) []string {
	all := make([]string, len(files))
	for i, file := range files {
		all[i] = file
		if filepath.Ext(file) == ".yaml" {
			all[i] = configs + file
		}
	}
	return all
}

func cutSetting(setting, key string) (value string, ok bool) {
	if len(setting) > len(key) && setting[:len(key)] == key && setting[len(key)] == '=' {
		return setting[len(key)+1:], true
	}
	return "", false
}

// get asks a server for its answer.
func get(url string) (status int, body string, err error) {
	response, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}
