package calicoapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

func TestParseIPAMConfig(t *testing.T) {
	v1, err := ParseIPAMConfig(testdata(t, "ipamconfig-v1"))
	require.NoError(t, err)
	require.Equal(t, ipam.Config{StrictAffinity: true, AutoAllocateBlocks: true, MaxBlocksPerHost: 4}, v1)

	v3, err := ParseIPAMConfig(testdata(t, "ipamconfig-v3"))
	require.NoError(t, err)
	require.Equal(t, ipam.Config{AutoAllocateBlocks: true, Cooldown: 5 * time.Minute}, v3)
}

func TestWhatAnIPAMConfigLeavesOut(t *testing.T) {
	v1, v3 := GroupV1.String()+"\nkind: IPAMConfig", GroupV3.String()+"\nkind: IPAMConfiguration"
	for _, tc := range []struct {
		name, head, spec string
		want             ipam.Config
	}{
		{"all, where Calico takes it for false", v1, "{}", ipam.Config{}},
		{"itself, where Calico takes it for false", v1, "null", ipam.Config{}},
		{"all, where the CRD has a default", v3, "{}", ipam.Config{AutoAllocateBlocks: true}},
		{"by null, where the CRD has a default", v3, "{strictAffinity: null, autoAllocateBlocks: null}", ipam.Config{AutoAllocateBlocks: true}},
		{"nothing of the blocks that are claimed in v1", v1, "{autoAllocateBlocks: true}", ipam.Config{AutoAllocateBlocks: true}},
		{"nothing of the blocks that are not claimed in v1", v1, "{autoAllocateBlocks: false}", ipam.Config{}},
		{"nothing of the blocks that are not claimed in v3", v3, "{autoAllocateBlocks: false}", ipam.Config{}},
		{
			"nothing", v3, "{strictAffinity: true, autoAllocateBlocks: true, maxBlocksPerHost: 2, ipCooldownSeconds: 1200}",
			ipam.Config{StrictAffinity: true, AutoAllocateBlocks: true, MaxBlocksPerHost: 2, Cooldown: 20 * time.Minute},
		},
		{"no cooldown, but by a number below 0", v1, "{ipCooldownSeconds: -1}", ipam.Config{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseIPAMConfig(object(t, "apiVersion: "+tc.head+"\nmetadata: {name: default}\nspec: "+tc.spec))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestParseIPAMConfigNamesTheFieldThatIsWrong(t *testing.T) {
	requireNamed(t, "ipamconfig", ParseIPAMConfig, []wrong{
		{"a spec that is a list", "spec: []", "spec: a list instead of an object"},
		{"a switch in words", "spec: {strictAffinity: 'true'}", "spec.strictAffinity: a string instead of a boolean"},
		{"another switch that is a number", "spec: {autoAllocateBlocks: 1}", "spec.autoAllocateBlocks: an integer instead of a boolean"},
		{"a limit below 0", "spec: {maxBlocksPerHost: -1}", "spec.maxBlocksPerHost: must not be negative"},
		{"a limit that no machine needs", "spec: {maxBlocksPerHost: 2147483648}", "spec.maxBlocksPerHost: is too large"},
		{"a limit with a fraction", "spec: {maxBlocksPerHost: 2.5}", "spec.maxBlocksPerHost: a float instead of an integer"},
		{"a cooldown as a duration", "spec: {ipCooldownSeconds: 5m}", "spec.ipCooldownSeconds: a string instead of an integer"},
		{"a cooldown that never ends", "spec: {ipCooldownSeconds: 9223372036854775807}", "spec.ipCooldownSeconds: is too large"},
	})
}
