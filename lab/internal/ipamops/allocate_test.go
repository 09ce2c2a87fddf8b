package ipamops

import (
	"context"
	"errors"
	"testing"

	"github.com/projectcalico/calico/libcalico-go/lib/clientv3"
	cerrors "github.com/projectcalico/calico/libcalico-go/lib/errors"
	"github.com/projectcalico/calico/libcalico-go/lib/ipam"
	cnet "github.com/projectcalico/calico/libcalico-go/lib/net"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

type fakeCalico struct {
	clientv3.Interface
	ipam *fakeIPAM
}

func (f fakeCalico) IPAM() ipam.Interface { return f.ipam }

// fakeIPAM knows the addresses by their handles.
type fakeIPAM struct {
	ipam.Interface
	held map[string]string
	// err is what an assignment ends with, though the address may be taken by then.
	err error
}

func (f *fakeIPAM) AutoAssign(_ context.Context, args ipam.AutoAssignArgs) (*ipam.IPAMAssignments, *ipam.IPAMAssignments, error) {
	f.held[*args.HandleID] = "10.0.0.1"
	return &ipam.IPAMAssignments{IPs: []cnet.IPNet{cnet.MustParseNetwork("10.0.0.1/32")}}, nil, f.err
}

func (f *fakeIPAM) ReleaseByHandle(_ context.Context, handle string) error {
	if _, held := f.held[handle]; !held {
		return cerrors.ErrorResourceDoesNotExist{}
	}
	delete(f.held, handle)
	return nil
}

func TestAFailedAllocationLeavesNeitherAddressNorPod(t *testing.T) {
	for _, test := range []struct {
		name           string
		assign, update error
		left           int
	}{
		{"the assignment fails", errors.New("datastore"), nil, 0},
		{"the update of the pod's status fails", nil, errors.New("datastore"), 0},
		{"nothing fails", nil, nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			kube := fake.NewSimpleClientset()
			kube.PrependReactor("update", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
				return test.update != nil, nil, test.update
			})
			calico := &fakeIPAM{held: map[string]string{}, err: test.assign}
			client := &Client{Calico: fakeCalico{ipam: calico}, Kube: kube}
			network := cnet.MustParseNetwork("10.0.0.0/24")
			// Ctrl-C may be the reason.
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := client.allocateOne(ctx, "p", &network, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}})
			if test.left == 0 {
				require.ErrorContains(t, err, "datastore")
			} else {
				require.NoError(t, err)
			}
			require.Len(t, calico.held, test.left)
			pods, err := kube.CoreV1().Pods(Namespace).List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			require.Len(t, pods.Items, test.left)
		})
	}
}
