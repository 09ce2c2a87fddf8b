package main

import (
	"bytes"
	"encoding/json"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNumbersAreWrittenInTheirUnits(t *testing.T) {
	for _, test := range []struct {
		value      float64
		unit, want string
	}{
		{0.856, "percentunit", "85.6%"},
		{0, "percentunit", "0%"},
		{172800, "s", "2 days"},
		{3600, "s", "1 hour"},
		{0.25, "s", "250 ms"},
		{0, "s", "0 s"},
		{1536, "bytes", "1.5 KiB"},
		{1234567, "short", "1.23 Mil"},
		{-6, "short", "-6"},
		{12, "none", "12"},
		{0.5, "ops", "0.5/s"},
	} {
		if got := format(test.value, test.unit); got != test.want {
			t.Errorf("%v in %s is %q, not %q", test.value, test.unit, got, test.want)
		}
	}
}

func TestAnAxisIsOfRoundNumbersAroundTheValues(t *testing.T) {
	for _, test := range []struct {
		lowest, highest float64
		unit            string
		want            []float64
	}{
		{0, 1, "percentunit", []float64{0, 0.25, 0.5, 0.75, 1}},
		{0, 37, "short", []float64{0, 10, 20, 30, 40}},
		{-3, 5, "short", []float64{-4, -2, 0, 2, 4, 6}},
		{0, 1000, "bytes", []float64{0, 256, 512, 768, 1024}},
		{0, 0.003, "s", []float64{0, 0.001, 0.002, 0.003}},
		{0, 100, "s", []float64{0, 30, 60, 90, 120}},
		{0, 86400, "s", []float64{0, 21600, 43200, 64800, 86400}},
	} {
		if got := axis(test.lowest, test.highest, test.unit); !slices.Equal(got, test.want) {
			t.Errorf("from %v to %v: %v, not %v", test.lowest, test.highest, got, test.want)
		}
	}
}

// TestEveryDashboardCanBeDrawn has a server answer every query with two series.
func TestEveryDashboardCanBeDrawn(t *testing.T) {
	metric := map[string]string{"k8s_cluster_name": "berlin", "ippool": "web", "node": "node-1"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var data any = []string{"a", "b"}
		at, _ := json.Number(r.FormValue("end")).Float64()
		switch {
		case strings.HasSuffix(r.URL.Path, "/query_range"):
			data = map[string]any{"result": []any{
				map[string]any{"metric": metric, "values": [][2]any{{at - 60, "1"}, {at - 30, "NaN"}, {at, "3"}}},
				map[string]any{"metric": metric, "values": [][2]any{{at, "2"}}},
			}}
		case strings.HasSuffix(r.URL.Path, "/query"):
			data = map[string]any{"result": []any{
				map[string]any{"metric": metric, "value": [2]any{at, "0.9"}},
				map[string]any{"metric": map[string]string{}, "value": [2]any{at, "7"}},
			}}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": data})
	}))
	defer server.Close()
	dashboards, err := filepath.Glob("../dashboards/*.json")
	if err != nil || len(dashboards) == 0 {
		t.Fatalf("%v: %v", dashboards, err)
	}
	for _, file := range dashboards {
		output := filepath.Join(t.TempDir(), "picture.png")
		if err := run([]string{"-dashboard", file, "-prometheus", server.URL, "-output", output}); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		content, err := os.ReadFile(output)
		if err != nil {
			t.Fatal(err)
		}
		if config, err := png.DecodeConfig(bytes.NewReader(content)); err != nil || config.Width != width {
			t.Errorf("%s: %v, %v", file, config, err)
		}
	}
}
