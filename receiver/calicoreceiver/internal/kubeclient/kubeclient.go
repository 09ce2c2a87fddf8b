// Package kubeclient reaches the Kubernetes API with the configuration keys that collectors use for it.
package kubeclient

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// AuthType says where the credentials come from.
type AuthType string

// The values of auth_type.
const (
	// ServiceAccount uses the token that Kubernetes mounts into the pod.
	ServiceAccount AuthType = "serviceAccount"
	// KubeConfig uses $KUBECONFIG or ~/.kube/config, as kubectl does.
	KubeConfig AuthType = "kubeConfig"
	// None uses no credentials, and does not verify the API server.
	None AuthType = "none"
)

var authTypes = []AuthType{ServiceAccount, KubeConfig, None}

// Validate refuses what is no AuthType and names the key.
func (t AuthType) Validate() error {
	names := make([]string, len(authTypes))
	for i, known := range authTypes {
		if t == known {
			return nil
		}
		names[i] = string(known)
	}
	return fmt.Errorf("auth_type: %q is not one of %s", string(t), strings.Join(names, ", "))
}

// RESTConfig makes the configuration of client-go's clients. context picks a context of the kubeconfig; empty is its current one.
func RESTConfig(auth AuthType, context string) (*rest.Config, error) {
	config, err := load(auth, context)
	if err != nil {
		return nil, fmt.Errorf("auth_type: %s: %w", auth, err)
	}
	if auth != KubeConfig {
		// The API server is part of the cluster: a proxy from the environment is meant for what lies outside.
		config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	return config, nil
}

func load(auth AuthType, context string) (*rest.Config, error) {
	switch auth {
	case KubeConfig:
		return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
			clientcmd.NewDefaultClientConfigLoadingRules(),
			&clientcmd.ConfigOverrides{CurrentContext: context},
		).ClientConfig()
	case None:
		host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
		if host == "" || port == "" {
			return nil, rest.ErrNotInCluster
		}
		return &rest.Config{Host: "https://" + net.JoinHostPort(host, port), TLSClientConfig: rest.TLSClientConfig{Insecure: true}}, nil
	default:
		config, err := rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			return nil, fmt.Errorf("%w (outside a cluster use auth_type: %s)", err, KubeConfig)
		}
		return config, err
	}
}
