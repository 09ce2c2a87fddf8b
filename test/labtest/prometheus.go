package labtest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// StartPrometheus starts a Prometheus of the test's own, with receivers for remote write and OTLP, and returns its URL when it is ready. It ends with
// the test. As by default it takes no sample that is older than the newest of its series.
func StartPrometheus(t *testing.T, config string) (url string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + FreePort(t)
	cmd := exec.CommandContext(cleanup(t), filepath.Join(filepath.Dir(os.Getenv("LAB")), "prometheus"),
		"--config.file="+path, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address,
		"--web.enable-remote-write-receiver", "--web.enable-otlp-receiver", "--log.level=warn")
	var output Output
	cmd.Stdout, cmd.Stderr = &output, &output
	stop, ended, err := Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Prometheus: %v", err)
		}
		if t.Failed() {
			t.Logf("Prometheus:\n%s", &output)
		}
	})
	url = "http://" + address
	deadline := time.After(patience)
	for {
		response, err := http.Get(url + "/-/ready") //nolint:noctx // a server of the test
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return url
			}
		}
		select {
		case <-ended:
			t.Fatalf("Prometheus ended before it was ready:\n%s", &output)
		case <-deadline:
			t.Fatalf("Prometheus was not ready after %s", patience)
		case <-time.After(poll):
		}
	}
}

// PrometheusAPI asks the Prometheus at a URL.
func PrometheusAPI(t *testing.T, url string) promv1.API {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: url})
	if err != nil {
		t.Fatal(err)
	}
	return promv1.NewAPI(client)
}

// Query evaluates PromQL at a time.
func Query(ctx context.Context, prom promv1.API, expression string, at time.Time) (model.Vector, error) {
	value, _, err := prom.Query(ctx, expression, at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expression, err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("%s: %s is no vector", expression, value.Type())
	}
	return vector, nil
}
