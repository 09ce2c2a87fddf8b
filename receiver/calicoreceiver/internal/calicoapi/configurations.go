package calicoapi

import (
	"encoding/json"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

// ParseFelixConfiguration reads a FelixConfiguration of either API group.
func ParseFelixConfiguration(u *unstructured.Unstructured) (discovery.FelixConfiguration, error) {
	f := fieldsOf(u)
	c := discovery.FelixConfiguration{
		PrometheusMetricsEnabled:    f.boolPtr("spec", "prometheusMetricsEnabled"),
		PrometheusMetricsPort:       f.int("spec", "prometheusMetricsPort"),
		PrometheusMetricsHost:       f.string("spec", "prometheusMetricsHost"),
		PrometheusMetricsCAFile:     f.string("spec", "prometheusMetricsCAFile"),
		PrometheusMetricsCertFile:   f.string("spec", "prometheusMetricsCertFile"),
		PrometheusMetricsKeyFile:    f.string("spec", "prometheusMetricsKeyFile"),
		PrometheusMetricsClientAuth: f.string("spec", "prometheusMetricsClientAuth"),
		NodeSelector:                f.stringPtr("spec", "nodeSelector"),
	}
	kept := calicoMetadata(u)
	for _, annotations := range []map[string]string{u.GetAnnotations(), kept.Annotations} {
		for name, value := range annotations {
			if parameter, ok := strings.CutPrefix(name, overridePrefix); ok {
				if c.Overrides == nil {
					c.Overrides = map[string]string{}
				}
				c.Overrides[parameter] = value
			}
		}
	}
	created := f.time("metadata", "creationTimestamp")
	if !kept.CreationTimestamp.IsZero() {
		created = kept.CreationTimestamp
	}
	if !created.IsZero() {
		c.Created = created.Unix()
	}
	if err := f.failed("felixconfiguration", u); err != nil {
		return discovery.FelixConfiguration{}, err
	}
	return c, nil
}

// ParseKubeControllersConfiguration reads a KubeControllersConfiguration of either API group.
func ParseKubeControllersConfiguration(u *unstructured.Unstructured) (discovery.KubeControllersConfiguration, error) {
	f := fieldsOf(u)
	c := discovery.KubeControllersConfiguration{PrometheusMetricsPort: f.int("spec", "prometheusMetricsPort")}
	if err := f.failed("kubecontrollersconfiguration", u); err != nil {
		return discovery.KubeControllersConfiguration{}, err
	}
	return c, nil
}

const (
	// metadataAnnotation holds what Calico takes for the metadata of an object in GroupV1.
	metadataAnnotation = "projectcalico.org/metadata"
	// overridePrefix is that of annotations whose values win over the fields of a FelixConfiguration
	// (libcalico-go/lib/backend/syncersv1/updateprocessors/configurationprocessor.go).
	overridePrefix = "config.projectcalico.org/"
)

// keptMetadata is what is read of the metadata that Calico keeps of an object in GroupV1.
type keptMetadata struct {
	CreationTimestamp time.Time         `json:"creationTimestamp"`
	Annotations       map[string]string `json:"annotations"`
}

// calicoMetadata is what Calico wrote into an annotation of an object in GroupV1, which a backup brings back with the object
// (libcalico-go/lib/backend/k8s/resources/resources.go, ConvertK8sResourceToCalicoResource). It is empty where there is none.
func calicoMetadata(u *unstructured.Unstructured) keptMetadata {
	var kept keptMetadata
	if u.GroupVersionKind().GroupVersion() != GroupV1 || json.Unmarshal([]byte(u.GetAnnotations()[metadataAnnotation]), &kept) != nil {
		return keptMetadata{}
	}
	return kept
}
