package cluster

import (
	"context"
	"fmt"
)

// CreateConfiguration creates the objects by which Calico is configured, before its processes start and read them.
func (c *Client) CreateConfiguration(ctx context.Context, p Placement) error {
	objects := []map[string]any{kubeControllersConfiguration(p)}
	if p.Layout == OperatorLayout {
		for _, namespace := range []string{p.Layout.Namespace(), operatorNamespace} {
			if err := c.CreateNamespace(ctx, namespace); err != nil {
				return err
			}
		}
		objects = append(objects, installation(p), felixConfiguration(map[string]any{}))
	} else {
		objects = append(objects, felixConfiguration(map[string]any{
			"prometheusMetricsEnabled": true,
			"prometheusMetricsPort":    int64(p.FelixPort),
		}))
	}
	for _, object := range objects {
		if err := c.Create(ctx, object); err != nil {
			return fmt.Errorf("configure Calico: %w", err)
		}
	}
	return nil
}

func calicoObject(kind, name string, spec map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": crdGroup + "/v1", "kind": kind,
		"metadata": map[string]any{"name": name},
		"spec":     spec,
	}
}

func felixConfiguration(extra map[string]any) map[string]any {
	spec := map[string]any{"logSeverityScreen": "Info", "reportingInterval": "0s"}
	for key, value := range extra {
		spec[key] = value
	}
	return calicoObject("FelixConfiguration", "default", spec)
}

func kubeControllersConfiguration(p Placement) map[string]any {
	period := map[string]any{"reconcilerPeriod": "5m0s"}
	return calicoObject("KubeControllersConfiguration", "default", map[string]any{
		"logSeverityScreen":      "Info",
		"etcdV3CompactionPeriod": "10m0s",
		"healthChecks":           "Enabled",
		"prometheusMetricsPort":  int64(p.KubeControllersPort),
		"controllers": map[string]any{
			"node":             map[string]any{"reconcilerPeriod": "5m0s", "leakGracePeriod": "15m0s", "syncLabels": "Enabled"},
			"policy":           period,
			"namespace":        period,
			"serviceAccount":   period,
			"workloadEndpoint": period,
		},
	})
}

func installation(p Placement) map[string]any {
	return map[string]any{
		"apiVersion": "operator.tigera.io/v1", "kind": "Installation",
		"metadata": map[string]any{"name": "default"},
		"spec": map[string]any{
			"variant":          "Calico",
			"nodeMetricsPort":  int64(p.FelixPort),
			"typhaMetricsPort": int64(p.TyphaPort),
			"cni":              map[string]any{"type": "Calico", "ipam": map[string]any{"type": "Calico"}},
			"calicoNetwork": map[string]any{
				"bgp":            "Enabled",
				"linuxDataplane": "Iptables",
			},
		},
	}
}
