package main

import (
	"github.com/otelcol-calico/otelcol-calico/lab/internal/lab"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/progress"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

func printSummary(out *progress.Printer, s state.State) {
	out.Printf("  state              %s", s.StateDir)
	out.Printf("  API server         %s", s.APIServerURL)
	out.Printf("  admin              KUBECONFIG=%s", s.AdminKubeconfig)
	out.Printf("  collector          KUBECONFIG=%s", s.CollectorKubeconfig)
	out.Printf("  Prometheus         %s", s.PrometheusURL)
	for _, component := range s.Components {
		out.Printf("  %-18s %s  (pod %s/%s on %s)", component.Job, lab.MetricsURL(component), component.Namespace, component.Pod, component.Node)
	}
	if s.Felix != state.FelixRunning {
		out.Printf("  Felix              %s", s.Felix)
	}
	for _, pool := range s.Pools {
		out.Printf("  pool               %-20s %s", pool.Name, pool.CIDR)
	}
}
