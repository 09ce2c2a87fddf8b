//go:build e2e

package monitoring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

const (
	failing  = 50 * time.Second
	slow     = 45 * time.Second
	standing = 15 * time.Second // longer than Typha takes between two pings
)

// disturbFelix has Felix change its dataplane every second, with tools that fail at first, fewer times in a row than it gives up after, and then take their
// time. Then it stands still, and Typha waits for its answer to a ping. It ends with the test, at the latest.
func disturbFelix(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	client := lab.Dynamic(t)
	require.NoError(t, changePolicy(ctx, client, 0))
	var running sync.WaitGroup
	running.Go(func() {
		err := disturb(ctx, client)
		if err != nil && ctx.Err() == nil {
			t.Errorf("disturb Felix: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

func disturb(ctx context.Context, client dynamic.Interface) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	began := time.Now()
	for i := 1; time.Since(began) < failing+slow; i++ {
		err := changePolicy(ctx, client, i)
		if time.Since(began) < failing {
			for _, kind := range []string{restoring, ipsets} {
				err = errors.Join(err, tools.fail(kind))
			}
		} else {
			err = errors.Join(err, tools.slow(true))
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	if err := tools.slow(false); err != nil {
		return err
	}
	return standStill(ctx)
}

// changePolicy gives the pods of all nodes a policy and a set of addresses, or other ones.
func changePolicy(ctx context.Context, client dynamic.Interface, i int) error {
	objects := map[string]*unstructured.Unstructured{
		"globalnetworksets": {Object: map[string]any{
			"kind": "GlobalNetworkSet", "metadata": map[string]any{"name": "moving", "labels": map[string]any{"role": "moving"}},
			"spec": map[string]any{"nets": []any{fmt.Sprintf("203.0.113.%d/32", i%250+1)}},
		}},
		"globalnetworkpolicies": {Object: map[string]any{
			"kind": "GlobalNetworkPolicy", "metadata": map[string]any{"name": "moving"},
			"spec": map[string]any{
				"order": int64(1000), "selector": "all()", "types": []any{"Ingress"},
				"ingress": []any{map[string]any{
					"action": "Allow", "protocol": "TCP",
					"source": map[string]any{"selector": "role == 'moving'"}, "destination": map[string]any{"ports": []any{int64(8000 + i%1000)}},
				}},
			},
		}},
	}
	for plural, object := range objects {
		object.SetAPIVersion(crdGroup.String())
		_, err := client.Resource(crdGroup.WithResource(plural)).Apply(ctx, "moving", object, metav1.ApplyOptions{FieldManager: "test", Force: true})
		if err != nil {
			return fmt.Errorf("%s: %w", plural, err)
		}
	}
	return nil
}

// standStill stops the process of Felix for a while.
func standStill(ctx context.Context) error {
	content, err := os.ReadFile(filepath.Join(lab.StateDir, "lab.json"))
	if err != nil {
		return err
	}
	var state struct {
		Pids map[string]int `json:"pids"`
	}
	if err := json.Unmarshal(content, &state); err != nil {
		return err
	}
	// The process that the lab starts has Felix as its child.
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", state.Pids["calico-felix"]))
	if err != nil {
		return err
	}
	for _, thread := range threads {
		children, err := os.ReadFile(thread)
		if err != nil {
			return err
		}
		for _, child := range strings.Fields(string(children)) {
			pid, err := strconv.Atoi(child)
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGSTOP)
			}
			if err != nil {
				return err
			}
			defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(standing):
	}
	return nil
}
