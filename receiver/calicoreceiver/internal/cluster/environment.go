package cluster

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

// envSource is one thing that a container's environment is made of, in the order in which later ones override earlier ones.
type envSource struct {
	// name of the variable; empty where the source is a whole ConfigMap, whose keys are the names, with a prefix.
	name, prefix string
	// value is literal, or a field of the pod.
	value string
	// configMap is the name of a ConfigMap in the pod's namespace, and key the one that the value stands under.
	configMap, key string
	// unreadable says why the value cannot be had.
	unreadable string
}

// envSources lists what a container's environment says of the settings that discovery reads. Nothing else is kept.
func envSources(p *corev1.Pod, c corev1.Container) []envSource {
	var sources []envSource
	for _, from := range c.EnvFrom {
		// What a Secret holds is never read; that one sets a port is not known to occur.
		if from.ConfigMapRef != nil {
			sources = append(sources, envSource{prefix: from.Prefix, configMap: from.ConfigMapRef.Name})
		}
	}
	for _, e := range c.Env {
		if !discovery.IsSetting(e.Name) {
			continue
		}
		source := envSource{name: e.Name, value: e.Value}
		if from := e.ValueFrom; from != nil {
			switch {
			case from.ConfigMapKeyRef != nil:
				source.configMap, source.key = from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key
			case from.FieldRef != nil:
				source.value, source.unreadable = podField(p, from.FieldRef.FieldPath)
			case from.SecretKeyRef != nil:
				source.unreadable = fmt.Sprintf("get secrets/%s in namespace %s", from.SecretKeyRef.Name, p.Namespace)
			default:
				source.unreadable = "the source of " + e.Name
			}
		}
		sources = append(sources, source)
	}
	return sources
}

// podField is the value of a field that a setting of Calico may be taken from.
func podField(p *corev1.Pod, path string) (value, unreadable string) {
	switch path {
	case "spec.nodeName":
		return p.Spec.NodeName, ""
	case "status.hostIP":
		return p.Status.HostIP, ""
	case "status.podIP":
		return p.Status.PodIP, ""
	case "metadata.name":
		return p.Name, ""
	case "metadata.namespace":
		return p.Namespace, ""
	}
	return "", "the field " + path
}

// environment resolves the sources of one container.
func environment(sources []envSource, namespace string, get func(configMapName) (read configMap, known bool)) []discovery.EnvVar {
	var env []discovery.EnvVar
	for _, s := range sources {
		switch {
		case s.configMap == "":
			env = append(env, discovery.EnvVar{Name: s.name, Value: s.value, Unreadable: s.unreadable})
		case s.name == "":
			// A ConfigMap that may not be read is taken for one that says nothing of metrics, as those of Calico's own installs do; that the right is
			// missing is in the log.
			read, _ := get(configMapName{namespace, s.configMap})
			for _, key := range slices.Sorted(maps.Keys(read.data)) {
				if name := s.prefix + key; discovery.IsSetting(name) {
					env = append(env, discovery.EnvVar{Name: name, Value: read.data[key]})
				}
			}
		default:
			read, _ := get(configMapName{namespace, s.configMap})
			value, ok := read.data[s.key]
			if !ok && read.unreadable == "" {
				continue // optional, or the container would not run
			}
			env = append(env, discovery.EnvVar{Name: s.name, Value: value, Unreadable: read.unreadable})
		}
	}
	return env
}
