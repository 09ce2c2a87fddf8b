package calicoipamprocessor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// TestRules runs every directory in testdata/rules, each named by the rule it shows. The batches N-input.yaml pass through one processor in turn, and
// leave it as N-expected.yaml; config.yaml is its configuration where that is not the default. With a settle_time, settled-expected.yaml is what leaves
// when that is over after the last batch.
func TestRules(t *testing.T) {
	const root = "testdata/rules"
	rules, err := os.ReadDir(root)
	require.NoError(t, err)
	require.NotEmpty(t, rules)
	for _, rule := range rules {
		t.Run(rule.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testRule(t, filepath.Join(root, rule.Name())) })
		})
	}
}

func testRule(t *testing.T, dir string) {
	var settle time.Duration
	p, sink := started(t, func(config *Config) {
		configured(t, filepath.Join(dir, "config.yaml"), config)
		settle = config.SettleTime
	})
	inputs, err := filepath.Glob(filepath.Join(dir, "*-input.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	for n := range inputs {
		prefix := filepath.Join(dir, strconv.Itoa(n+1))
		input, err := golden.ReadMetrics(prefix + "-input.yaml")
		require.NoError(t, err)
		require.NotZero(t, input.DataPointCount())
		requireGolden(t, prefix+"-expected.yaml", consume(t, p, sink, input))
	}
	if settle == 0 {
		return
	}
	sink.Reset()
	<-time.After(settle)
	synctest.Wait()
	settled := pmetric.NewMetrics()
	for _, md := range sink.AllMetrics() {
		md.ResourceMetrics().MoveAndAppendTo(settled.ResourceMetrics())
	}
	requireGolden(t, filepath.Join(dir, "settled-expected.yaml"), settled)
}

// configured reads a configuration from a file, if it is there.
func configured(t *testing.T, path string, config *Config) {
	t.Helper()
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	conf, err := confmaptest.LoadConf(path)
	require.NoError(t, err)
	require.NoError(t, conf.Unmarshal(config))
}
