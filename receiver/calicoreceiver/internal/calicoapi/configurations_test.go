package calicoapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

func TestParseFelixConfiguration(t *testing.T) {
	v1, err := ParseFelixConfiguration(testdata(t, "felixconfiguration-v1"))
	require.NoError(t, err)
	require.Equal(t, discovery.FelixConfiguration{
		PrometheusMetricsEnabled: ptr(true), PrometheusMetricsPort: ptr(int64(9191)), PrometheusMetricsHost: "192.0.2.1",
		Created: time.Date(2025, 11, 20, 10, 30, 0, 0, time.UTC).Unix(),
	}, v1, "an object of v1 was created when Calico says")

	v3, err := ParseFelixConfiguration(testdata(t, "felixconfiguration-v3"))
	require.NoError(t, err)
	require.Equal(t, discovery.FelixConfiguration{
		PrometheusMetricsEnabled: ptr(true), PrometheusMetricsPort: ptr(int64(9091)),
		PrometheusMetricsCAFile: "/etc/calico/metrics/ca.crt", PrometheusMetricsCertFile: "/etc/calico/metrics/tls.crt",
		PrometheusMetricsKeyFile: "/etc/calico/metrics/tls.key", PrometheusMetricsClientAuth: "RequireAndVerifyClientCert",
		NodeSelector: ptr("topology.kubernetes.io/zone == 'edge'"),
		Created:      time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC).Unix(),
	}, v3)
}

func TestFelixConfigurationThatSaysNothing(t *testing.T) {
	for _, spec := range []string{"", "spec: {}", "spec: null", "spec: {prometheusMetricsEnabled: null, prometheusMetricsPort: null, nodeSelector: null}"} {
		c, err := ParseFelixConfiguration(object(t, "apiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: default}\n"+spec))
		require.NoError(t, err)
		require.Zero(t, c, "%q", spec)
	}
	c, err := ParseFelixConfiguration(object(t, "apiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: all}\nspec: {nodeSelector: ''}"))
	require.NoError(t, err)
	require.Equal(t, ptr(""), c.NodeSelector, "an empty selector is one")
}

func TestAnnotationsOfAFelixConfigurationOverrideItsFields(t *testing.T) {
	u := object(t, "apiVersion: crd.projectcalico.org/v1\nkind: FelixConfiguration\nmetadata: {name: default}")
	u.SetAnnotations(map[string]string{
		overridePrefix + "PrometheusMetricsEnabled": "true", "other": "annotation",
		metadataAnnotation: `{"annotations":{"config.projectcalico.org/PrometheusMetricsPort":"9191"}}`,
	})
	c, err := ParseFelixConfiguration(u)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"PrometheusMetricsEnabled": "true", "PrometheusMetricsPort": "9191"}, c.Overrides)
}

func TestWhenAFelixConfigurationWasCreated(t *testing.T) {
	const server = "2026-01-02T03:04:05Z"
	for _, tc := range []struct{ name, apiVersion, annotation, want string }{
		{"by the API server in v1", "crd.projectcalico.org/v1", "", server},
		{"by Calico in v1", "crd.projectcalico.org/v1", `{"creationTimestamp":"2024-01-02T03:04:05Z"}`, "2024-01-02T03:04:05Z"},
		{"in v1 by the API server where Calico does not say", "crd.projectcalico.org/v1", `{"creationTimestamp":null}`, server},
		{"in v1 by the API server where Calico's word cannot be read", "crd.projectcalico.org/v1", `{"creationTimestamp":7}`, server},
		{"by the API server in v3, whatever is left of v1", "projectcalico.org/v3", `{"creationTimestamp":"2024-01-02T03:04:05Z"}`, server},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := object(t, "apiVersion: "+tc.apiVersion+"\nkind: FelixConfiguration\nmetadata: {name: edge, creationTimestamp: '"+server+"'}")
			if tc.annotation != "" {
				u.SetAnnotations(map[string]string{metadataAnnotation: tc.annotation})
			}
			c, err := ParseFelixConfiguration(u)
			require.NoError(t, err)
			require.Equal(t, tc.want, time.Unix(c.Created, 0).UTC().Format(time.RFC3339))
		})
	}
}

func TestParseFelixConfigurationNamesTheFieldThatIsWrong(t *testing.T) {
	requireNamed(t, "felixconfiguration", ParseFelixConfiguration, []wrong{
		{"a port in words", "spec: {prometheusMetricsPort: many}", "spec.prometheusMetricsPort: a string instead of an integer"},
		{"a port with a fraction", "spec: {prometheusMetricsPort: 9091.5}", "spec.prometheusMetricsPort: a float instead of an integer"},
		{"a switch in words", "spec: {prometheusMetricsEnabled: 'yes'}", "spec.prometheusMetricsEnabled: a string instead of a boolean"},
		{"a selector that is a list", "spec: {nodeSelector: [all()]}", "spec.nodeSelector: a list instead of a string"},
		{"a spec that is a list", "spec: []", "spec: a list instead of an object"},
	})
}

func TestParseKubeControllersConfiguration(t *testing.T) {
	parse := func(spec string) discovery.KubeControllersConfiguration {
		c, err := ParseKubeControllersConfiguration(object(t, "apiVersion: v1\nkind: KubeControllersConfiguration\nmetadata: {name: default}\n"+spec))
		require.NoError(t, err)
		return c
	}
	require.Nil(t, parse("spec: {}").PrometheusMetricsPort)
	require.Equal(t, ptr(int64(0)), parse("spec: {prometheusMetricsPort: 0}").PrometheusMetricsPort)
	require.Equal(t, ptr(int64(9094)), parse("spec: {prometheusMetricsPort: 9094}").PrometheusMetricsPort)
	requireNamed(t, "kubecontrollersconfiguration", ParseKubeControllersConfiguration, []wrong{
		{"a port in words", "spec: {prometheusMetricsPort: '9094'}", "spec.prometheusMetricsPort: a string instead of an integer"},
	})
}
