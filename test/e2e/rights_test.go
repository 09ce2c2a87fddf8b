//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// right is one rule of the files in deploy/rbac, as it applies to one namespace or, where that is empty, to the cluster.
type right struct {
	rbacv1.PolicyRule
	namespace string
}

// shippedRights reads what the files grant: the rules of every role, wherever it is bound.
func shippedRights(t *testing.T, files ...string) []right {
	t.Helper()
	rules := map[string][]rbacv1.PolicyRule{}
	var rights []right
	for _, file := range files {
		content, err := os.Open("../../deploy/rbac/" + file)
		require.NoError(t, err)
		defer content.Close()
		decoder := yaml.NewYAMLOrJSONDecoder(content, 4096)
		for {
			var object struct {
				metav1.TypeMeta   `json:",inline"`
				metav1.ObjectMeta `json:"metadata"`
				Rules             []rbacv1.PolicyRule `json:"rules"`
				RoleRef           rbacv1.RoleRef      `json:"roleRef"`
			}
			if err := decoder.Decode(&object); err != nil {
				break
			}
			switch object.Kind {
			case "ClusterRole", "Role":
				rules[object.Name] = object.Rules
			case "ClusterRoleBinding", "RoleBinding":
				require.Contains(t, rules, object.RoleRef.Name)
				for _, rule := range rules[object.RoleRef.Name] {
					rights = append(rights, right{rule, object.Namespace})
				}
			}
		}
	}
	require.NotEmpty(t, rights)
	return rights
}

// account makes a service account with some rights and returns its kubeconfig.
func account(t *testing.T, name string, rights []right) string {
	t.Helper()
	k8s := lab.Kube(t)
	created, err := k8s.CoreV1().ServiceAccounts("default").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	require.NoError(t, err)
	byNamespace := map[string][]rbacv1.PolicyRule{}
	for _, r := range rights {
		byNamespace[r.namespace] = append(byNamespace[r.namespace], r.PolicyRule)
	}
	for namespace, rules := range byNamespace {
		meta := metav1.ObjectMeta{Name: name}
		subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: created.Name, Namespace: created.Namespace}}
		if namespace == "" {
			_, err = k8s.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
			require.NoError(t, err)
			_, err = k8s.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
				ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}, Subjects: subjects,
			}, metav1.CreateOptions{})
		} else {
			_, err = k8s.RbacV1().Roles(namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
			require.NoError(t, err)
			_, err = k8s.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
				ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}, Subjects: subjects,
			}, metav1.CreateOptions{})
		}
		require.NoError(t, err)
	}
	token, err := k8s.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	return kubeconfig(t, func(config *clientcmdapi.Config) {
		for _, user := range config.AuthInfos {
			*user = clientcmdapi.AuthInfo{Token: token.Status.Token}
		}
	})
}

// grant replaces the cluster-wide rights of an account.
func grant(t *testing.T, name string, rights []right) {
	t.Helper()
	roles := lab.Kube(t).RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	role.Rules = nil
	for _, r := range rights {
		if r.namespace == "" {
			role.Rules = append(role.Rules, r.PolicyRule)
		}
	}
	_, err = roles.Update(t.Context(), role, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// needEveryRight brings the cluster into a state in which the receiver uses all that it may: a FelixConfiguration that selects nodes, a pod with
// settings in a ConfigMap, a kube-controllers that cannot be reached, and a migration between the API groups.
func needEveryRight(t *testing.T) {
	t.Helper()
	typha := runningPod(t, "calico-typha", "127.0.0.1", corev1.Container{EnvFrom: []corev1.EnvFromSource{{
		ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "kubernetes-services-endpoint"}},
	}}})
	t.Cleanup(func() { deletePod(t, typha) })
	lab.Command(t, "part", "stop", "calico-kube-controllers")
	t.Cleanup(func() { lab.Command(t, "part", "start", "calico-kube-controllers") })
	lab.Keep(t, "felixconfigurations.crd.projectcalico.org", "spec")
	lab.Define(t, "migration.projectcalico.org", "v1", "DatastoreMigration", "datastoremigrations")
	lab.Define(t, "projectcalico.org", "v3", "IPAMBlock", "ipamblocks")
	lab.Create(t, "felixconfigurations", "crd.projectcalico.org/v1", "FelixConfiguration", "by-label", map[string]any{"nodeSelector": "has(none)"})
	lab.Create(t, "datastoremigrations", "migration.projectcalico.org/v1", "DatastoreMigration", "v1-to-v3", map[string]any{})
}

// TestEachRightThatIsShippedIsUsedAndMissedByName runs one collector with all rights that are shipped and for each of them one without it.
func TestEachRightThatIsShippedIsUsedAndMissedByName(t *testing.T) {
	rights := shippedRights(t, "cluster.yaml", "operator.yaml")
	needEveryRight(t)
	prom := prometheus(t)

	t.Run("with all of them nothing is missing", func(t *testing.T) {
		const name = "all-rights"
		out := startCollector(t, collector{cluster: name, kubeconfig: account(t, name, rights), quiet: true})
		awaitState(t, prom, name, "kube_controllers", "unreachable", "scrape_failed", 1) // so that the policies were read
		awaitState(t, prom, name, "typha", "scraped", "ok", 1)
		require.False(t, out.contains("missing RBAC"), "%s", out)
	})
	for i, taken := range rights {
		resource := taken.Resources[0]
		if resource == "namespaces" {
			// Once for the identity of the cluster, and only where a namespace does not exist for the others.
			resource += "/kube-system"
		} else if len(taken.ResourceNames) > 0 {
			resource += "/" + taken.ResourceNames[0]
		}
		if group := taken.APIGroups[0]; group != "" {
			resource += "." + group
		}
		wanted := taken.Verbs[0] + " " + resource
		if taken.namespace != "" {
			wanted += " in namespace " + taken.namespace
		}
		if taken.namespace == "kube-system" && strings.HasPrefix(resource, "configmaps") || taken.namespace == "tigera-operator" && strings.HasPrefix(resource, "configmaps") {
			continue // no pod there takes a setting from a ConfigMap
		}
		t.Run("without "+wanted, func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("right-%d", i)
			kubeconfig := account(t, name, slices.Delete(slices.Clone(rights), i, i+1))
			out := startCollector(t, collector{cluster: name, kubeconfig: kubeconfig, quiet: true})
			require.Eventually(t, func() bool { return out.contains("missing RBAC: " + wanted) }, patience, poll, "%s\n%s", wanted, out)
			if strings.HasPrefix(wanted, "list pods in namespace calico-system") {
				awaitState(t, prom, name, "typha", "forbidden", "list pods in namespace calico-system", 1)
			} else {
				awaitValue(t, prom, fmt.Sprintf(`up{k8s_cluster_name=%q,job="calico-typha"}`, name), 1)
				awaitState(t, prom, name, "typha", "scraped", "ok", 1)
			}
			if taken.namespace == "" && len(taken.ResourceNames) == 0 {
				grant(t, name, rights)
				require.Eventually(t, func() bool { return out.contains("succeeds again") }, patience, poll, "a right that is granted later is noticed")
			}
		})
	}
}

// TestRightsOfNodeModeAreEnough runs an agent with what deploy/rbac has for it.
func TestRightsOfNodeModeAreEnough(t *testing.T) {
	const name = "node-rights"
	var felixOrTypha string
	for _, component := range lab.Components {
		if component.Job != "calico-kube-controllers" {
			felixOrTypha = component.Node
		}
	}
	rights := shippedRights(t, "node.yaml", "node-operator.yaml")
	out := startCollector(t, collector{
		cluster: name, kubeconfig: account(t, name, rights), configs: []string{"testdata/node.yaml"}, env: []string{"K8S_NODE_NAME=" + felixOrTypha},
	})
	prom := prometheus(t)
	require.Eventually(t, func() bool {
		vector, err := query(t.Context(), prom, fmt.Sprintf(`up{k8s_cluster_name=%q} == 1`, name))
		return err == nil && len(vector) > 0
	}, patience, poll)
	require.False(t, out.contains("missing RBAC"), "%s", out)
}
