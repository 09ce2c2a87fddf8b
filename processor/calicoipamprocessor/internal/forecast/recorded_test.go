package forecast

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// readRecorded reads what was recorded in the lab. Each file says in its first lines how that was done and how it is replayed.
func readRecorded(t *testing.T, name string) (r run, title string, fills bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "recorded", name+".csv"))
	require.NoError(t, err)
	var every time.Duration
	for line := range strings.Lines(string(data)) {
		if settings, found := strings.CutPrefix(strings.TrimSpace(line), "# replay: "); found {
			var step, blocks string
			var onset float64
			_, err := fmt.Sscanf(settings, "step=%s addresses=%g blocks=%s fills=%t onset=%g", &step, &r.limits.Addresses, &blocks, &fills, &onset)
			require.NoError(t, err)
			every, err = time.ParseDuration(step)
			require.NoError(t, err)
			r.limits.Blocks = math.NaN()
			if blocks != "unknown" {
				r.limits.Blocks, err = strconv.ParseFloat(blocks, 64)
				require.NoError(t, err)
			}
			r.onset = began.Add(time.Duration(onset * float64(time.Hour)))
		}
	}
	title, _, _ = strings.Cut(strings.TrimPrefix(string(data), "# "), ":")
	reader := csv.NewReader(strings.NewReader(string(data)))
	reader.Comment = '#'
	rows, err := reader.ReadAll()
	require.NoError(t, err)
	for i, row := range rows[1:] {
		m := moment{at: began.Add(time.Duration(i) * every)}
		m.Allocated, err = strconv.ParseFloat(row[1], 64)
		require.NoError(t, err)
		m.Blocks, err = strconv.ParseFloat(row[2], 64)
		require.NoError(t, err)
		r.add(m)
	}
	require.Equal(t, fills, !r.full.IsZero(), name)
	return r, title, fills
}
