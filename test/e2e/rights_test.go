//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// right is what a rule of the files in deploy/rbac says of one resource, in one namespace or, where that is empty, in the cluster.
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
			err := decoder.Decode(&object)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, file)
			switch object.Kind {
			case "ClusterRole", "Role":
				rules[object.Name] = object.Rules
			case "ClusterRoleBinding", "RoleBinding":
				require.Contains(t, rules, object.RoleRef.Name)
				for _, rule := range rules[object.RoleRef.Name] {
					for _, resource := range rule.Resources {
						rule.Resources = []string{resource}
						rights = append(rights, right{rule, object.Namespace})
					}
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
	t.Cleanup(func() {
		// With the account go its rights.
		_ = k8s.CoreV1().ServiceAccounts("default").Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{})
	})
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
	lab.RunningPod(t, "calico-typha", "127.0.0.1", corev1.Container{
		EnvFrom: []corev1.EnvFromSource{{
			ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "kubernetes-services-endpoint"}},
		}},
		// As Calico's manifest has it in calico-node.
		Env: []corev1.EnvVar{{Name: "CALICO_NETWORKING_BACKEND", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "calico-config"}, Key: "calico_backend",
		}}}},
	})
	stopPart(t, "calico-kube-controllers")
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
		require.False(t, out.Contains("missing RBAC"), "%s", out)
	})
	for i, taken := range rights {
		if taken.Resources[0] == "configmaps" && taken.namespace != "calico-system" {
			continue // no pod there takes a setting from a ConfigMap
		}
		if taken.Resources[0] == nativeConfig {
			continue // the data is not in its group
		}
		others := slices.Delete(slices.Clone(rights), i, i+1)
		t.Run("without "+taken.missing(taken.Verbs[0]), func(t *testing.T) {
			t.Parallel()
			withoutRight(t, prom, fmt.Sprintf("right-%d", i), others, rights, taken.missing(taken.Verbs[0]))
		})
		if slices.Contains(taken.Verbs, "watch") {
			half := taken
			half.Verbs = slices.DeleteFunc(slices.Clone(taken.Verbs), func(verb string) bool { return verb == "watch" })
			t.Run("without "+taken.missing("watch"), func(t *testing.T) {
				t.Parallel()
				withoutRight(t, prom, fmt.Sprintf("right-%d-watch", i), append(slices.Clone(others), half), rights, taken.missing("watch"))
			})
		}
	}
}

// nativeConfig has another name in the group of native CRDs than in the other, where it is ipamconfigs. All else is called the same in both.
const nativeConfig = "ipamconfigurations"

// TestRightOfTheConfigurationInNativeCRDsIsUsedAndMissedByName has the data of IPAM move to the group of native CRDs.
func TestRightOfTheConfigurationInNativeCRDsIsUsedAndMissedByName(t *testing.T) {
	const name, group, missing = "native-config", "projectcalico.org", "list " + nativeConfig + ".projectcalico.org"
	lab.Define(t, "migration.projectcalico.org", "v1", "DatastoreMigration", "datastoremigrations")
	migration := lab.Create(t, "datastoremigrations", "migration.projectcalico.org/v1", "DatastoreMigration", "v1-to-v3", map[string]any{})
	for plural, kind := range map[string]string{"ipamblocks": "IPAMBlock", "ippools": "IPPool", nativeConfig: "IPAMConfiguration"} {
		lab.Define(t, group, "v3", kind, plural)
	}
	migration.Object["status"] = map[string]any{"phase": "Converged"}
	_, err := lab.Dynamic(t).Resource(schema.GroupVersionResource{Group: "migration.projectcalico.org", Version: "v1", Resource: "datastoremigrations"}).
		Update(t.Context(), migration, metav1.UpdateOptions{})
	require.NoError(t, err)
	rights := shippedRights(t, "cluster.yaml", "operator.yaml")
	others := slices.DeleteFunc(slices.Clone(rights), func(r right) bool { return r.Resources[0] == nativeConfig })
	require.Len(t, others, len(rights)-1)
	withoutRight(t, prometheus(t), name, others, rights, missing)
}

// missing is how the receiver names one verb of a right.
func (r right) missing(verb string) string {
	resource := r.Resources[0]
	if resource == "namespaces" {
		// Once for the identity of the cluster; for others only where a namespace does not exist.
		resource += "/kube-system"
	} else if len(r.ResourceNames) > 0 {
		resource += "/" + r.ResourceNames[0]
	}
	if group := r.APIGroups[0]; group != "" {
		resource += "." + group
	}
	if r.namespace != "" {
		return verb + " " + resource + " in namespace " + r.namespace
	}
	return verb + " " + resource
}

// withoutRight runs a collector that lacks a right: it names it, and the rest goes on; granted later, the right is used.
func withoutRight(t *testing.T, prom promv1.API, name string, rights, all []right, missing string) {
	out := startCollector(t, collector{cluster: name, kubeconfig: account(t, name, rights), quiet: true})
	require.Eventually(t, func() bool { return out.Contains("missing RBAC: " + missing) }, patience, poll, "%s\n%s", missing, out)
	if missing == "list pods in namespace calico-system" {
		awaitState(t, prom, name, "typha", "forbidden", missing, 1)
	} else {
		awaitValue(t, prom, fmt.Sprintf(`up{k8s_cluster_name=%q,job="calico-typha"}`, name), 1)
		awaitState(t, prom, name, "typha", "scraped", "ok", 1)
	}
	if strings.Contains(missing, " in namespace ") || strings.HasPrefix(missing, "get ") {
		return
	}
	grant(t, name, all)
	verb, resource, _ := strings.Cut(missing, " ")
	require.Eventually(t, func() bool {
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, "succeeds again") && strings.Contains(line, verb+" "+resource) {
				return true
			}
		}
		return false
	}, patience, poll, "%s, granted later, is noticed: %s", missing, out)
}

// TestRightsOfNodeModeAreEnough runs an agent with what deploy/rbac has for it.
func TestRightsOfNodeModeAreEnough(t *testing.T) {
	const name = "node-rights"
	needEveryRight(t)
	rights := shippedRights(t, "node.yaml", "node-operator.yaml")
	out := startCollector(t, collector{base: "node.yaml", cluster: name, kubeconfig: account(t, name, rights), env: []string{"K8S_NODE_NAME=node-2"}})
	prom := prometheus(t)
	awaitValue(t, prom, fmt.Sprintf(`up{k8s_cluster_name=%q,job="calico-typha"}`, name), 1)
	awaitState(t, prom, name, "typha", "disabled", "TYPHA_PROMETHEUSMETRICSENABLED", 1) // the pod that takes its settings from a ConfigMap
	require.False(t, out.Contains("missing RBAC"), "%s", out)
}
