package discovery

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIPAM(t *testing.T) {
	const listPools, listBlocks = "list ippools.crd.projectcalico.org", "list ipamblocks.crd.projectcalico.org"
	policyOnly := felixPod(v("CALICO_NETWORKING_BACKEND", "none"))
	canal := onHost(pod("canal", "calico-node"))
	sidecar := felixPod()
	sidecar.Containers = append(sidecar.Containers, Container{Name: "other", Env: policyOnly.Containers[0].Env})
	pools := func(n int) Readable[int] { return Readable[int]{Value: n} }
	for _, tc := range []struct {
		name string
		in   Input
		want string
	}{
		{"it is read where there are pools", Input{CalicoInstalled: true, Pools: pools(2)}, "scraped ok"},
		{"without pools it gives no addresses", Input{CalicoInstalled: true}, "absent no_pools"},
		{"pools without blocks, as with an etcd of its own", Input{CalicoInstalled: true, Pools: pools(2), BlocksUnserved: true}, "absent no_blocks"},
		{"neither pools nor blocks", Input{CalicoInstalled: true, BlocksUnserved: true}, "absent no_pools"},
		{
			"blocks that nobody needs",
			Input{CalicoInstalled: true, Pools: pools(1), BlocksUnserved: true, Installation: &Installation{CNI: "AmazonVPC"}}, "unsupported aws_vpc_cni",
		},
		{
			"blocks that are not served, as an API server has it that fails",
			Input{CalicoInstalled: true, APIFails: true, Pools: pools(1), BlocksUnserved: true}, "unreachable kubernetes_api",
		},
		{"without Calico there is none", Input{}, "absent no_calico"},
		{"Calico with an etcd of its own has none in the API server", Input{Pods: []Pod{felixPod()}}, "absent no_calico"},
		{"pools that may not be read", Input{CalicoInstalled: true, Pools: Readable[int]{Missing: listPools}}, "forbidden " + listPools},
		{"blocks that may not be read", Input{CalicoInstalled: true, Pools: pools(1), BlocksMissing: listBlocks}, "forbidden " + listBlocks},
		{
			"without its pools the blocks of Calico say nothing",
			Input{CalicoInstalled: true, Pools: Readable[int]{Missing: listPools}, BlocksMissing: listBlocks}, "forbidden " + listPools,
		},
		{"blocks of who does not give the addresses", Input{CalicoInstalled: true, BlocksMissing: listBlocks, Installation: &Installation{CNI: "AmazonVPC"}}, "unsupported aws_vpc_cni"},
		{"an Installation with Calico's own", Input{CalicoInstalled: true, Pools: pools(1), Installation: &Installation{CNI: "Calico", IPAM: "Calico"}}, "scraped ok"},
		{"an Installation that says nothing has Calico's own", Input{CalicoInstalled: true, Pools: pools(1), Installation: &Installation{}}, "scraped ok"},
		{"AWS, whatever pools there are", Input{CalicoInstalled: true, Pools: pools(1), Installation: &Installation{CNI: "AmazonVPC", IPAM: "AmazonVPC"}}, "unsupported aws_vpc_cni"},
		{"AWS, whether or not pools may be read", Input{CalicoInstalled: true, Pools: Readable[int]{Missing: listPools}, Installation: &Installation{CNI: "AmazonVPC"}}, "unsupported aws_vpc_cni"},
		{"Azure", Input{CalicoInstalled: true, Installation: &Installation{CNI: "AzureVNET"}}, "unsupported azure_vnet"},
		{"GKE, which has host-local give the addresses", Input{CalicoInstalled: true, Installation: &Installation{CNI: "GKE", IPAM: "HostLocal"}}, "unsupported gke"},
		{"Calico's CNI plugin with host-local", Input{CalicoInstalled: true, Installation: &Installation{CNI: "Calico", IPAM: "HostLocal"}}, "unsupported host_local"},
		{"canal, whatever pools there are", Input{CalicoInstalled: true, Pools: pools(1), Pods: []Pod{canal}}, "unsupported host_local"},
		{"policy only", Input{CalicoInstalled: true, Pods: []Pod{felixPod(), policyOnly}}, "unsupported policy_only"},
		{"no routes of Calico's, but its addresses", Input{CalicoInstalled: true, Pools: pools(1), Pods: []Pod{policyOnly}}, "scraped ok"},
		{"policy only is not certain where pools may not be read", Input{CalicoInstalled: true, Pools: Readable[int]{Missing: listPools}, Pods: []Pod{policyOnly}}, "forbidden " + listPools},
		{"an Installation says better than the environment", Input{CalicoInstalled: true, Pods: []Pod{policyOnly}, Installation: &Installation{CNI: "Calico"}}, "absent no_pools"},
		{"the environment of a sidecar is not calico-node's", Input{CalicoInstalled: true, Pods: []Pod{sidecar}}, "absent no_pools"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Scope = []Component{IPAM}
			e := one(t, tc.in)
			require.Equal(t, tc.want, short(e))
			require.False(t, e.IsTarget(), "nothing is scraped for it")
			require.Equal(t, Pod{}, e.Pod)
		})
	}
}
