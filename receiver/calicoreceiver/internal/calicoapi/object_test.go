package calicoapi

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// object makes an object of YAML as a client of the API would.
func object(t require.TestingT, text string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	content, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	require.NoError(t, u.UnmarshalJSON(content))
	return u
}

// testdata is an object in the shape that Calico or its operator writes it.
func testdata(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	require.NoError(t, err)
	return object(t, string(text))
}

func ptr[T any](v T) *T { return &v }

// wrong is an object that cannot be read, and what the error has to name.
type wrong struct{ name, spec, want string }

// requireNamed checks that a parser refuses objects of a kind, and names kind, object and field.
func requireNamed[T any](t *testing.T, kind string, parse func(*unstructured.Unstructured) (T, error), cases []wrong) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parse(object(t, "apiVersion: v1\nkind: Any\nmetadata: {name: odd}\n"+tc.spec))
			require.ErrorContains(t, err, kind+` "odd": `+tc.want)
			require.Zero(t, got)
		})
	}
}
