package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// CollectorNamespace and CollectorAccount name the service account that the collector's RBAC file declares.
	CollectorNamespace = "otelcol-calico"
	// CollectorAccount is the ServiceAccount in CollectorNamespace.
	CollectorAccount = "otelcol-calico"

	tokenLifetime = 24 * time.Hour
)

// ApplyRBAC applies YAML files and returns a token of the collector's service account, which they must declare.
func (c *Client) ApplyRBAC(ctx context.Context, paths []string) (token string, err error) {
	for _, path := range paths {
		if err := c.applyFile(ctx, path); err != nil {
			return "", fmt.Errorf("RBAC file %s: %w", path, err)
		}
	}
	seconds := int64(tokenLifetime.Seconds())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := c.Kube.CoreV1().ServiceAccounts(CollectorNamespace).
		CreateToken(ctx, CollectorAccount, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request a token for service account %s/%s of the RBAC files: %w", CollectorNamespace, CollectorAccount, err)
	}
	return answer.Status.Token, nil
}

func (c *Client) applyFile(ctx context.Context, path string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return c.ApplyYAML(ctx, file)
}
