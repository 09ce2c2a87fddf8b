// Alerts on Calico's addresses.
//
// A gauge is taken over some minutes, so that a scrape that fails is no gap in which an alert would begin anew.
local alert = import '../alert.libsonnet';
local inCluster = alert.inCluster;
local rule = alert.rule;

{
  local thresholds = $._config.thresholds,

  // watched are pools without those that give out no addresses, as far as that is known, and those that somebody does not want to hear of.
  local watched = |||
    unless on (k8s_cluster_name, ippool) last_over_time(calico_ipam_pool_info{state!="enabled"}[10m])
    unless on (k8s_cluster_name, ippool) calico:ippool_alerts:off
  |||,

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'calico-ip-pools',
        rules: [
          rule(
            'CalicoIPPoolFilling',
            'warning',
            '10m',
            'min_over_time(calico_ipam_pool_utilization_ratio[10m]) > %g\n%s' % [thresholds.poolUtilization, watched],
            'IP pool {{ $labels.ippool }}' + inCluster + ' is {{ $value | humanizePercentage }} full.',
            |||
              {{ $value | humanizePercentage }} of the addresses that IP pool {{ $labels.ippool }} ({{ $labels.cidr }})%s can give are allocated
              {{- with printf "max by (ippool) (calico_ipam_pool_available{ippool=%%q,k8s_cluster_name=%%q})" $labels.ippool $labels.k8s_cluster_name | query }},
              {{ . | first | value | humanize }} are left{{ end }}.
              When none is left, new pods of the pool get no address and do not start.
            ||| % inCluster
          ),
          rule(
            'CalicoIPPoolFull',
            'critical',
            '2m',
            // A pool that is reserved whole has no utilization, and gives out nothing on purpose.
            |||
              max_over_time(calico_ipam_pool_available[5m]) == 0
              and on (k8s_cluster_name, ippool) last_over_time(calico_ipam_pool_utilization_ratio[10m])
            ||| + watched,
            'IP pool {{ $labels.ippool }}' + inCluster + ' is full.',
            |||
              No address of IP pool {{ $labels.ippool }} ({{ $labels.cidr }})%s is left: pods that need one from it do not start until others end.
            ||| % inCluster
          ),
          rule(
            'CalicoIPPoolFullSoon',
            'warning',
            '30m',
            |||
              (max_over_time(calico_ipam_pool_exhaustion_seconds{bound="latest"}[30m]) > 0) < %d * 86400
            ||| % thresholds.poolFullDays + watched,
            'IP pool {{ $labels.ippool }}' + inCluster + ' will be full within {{ $value | humanizeDuration }}.',
            |||
              As IP pool {{ $labels.ippool }} ({{ $labels.cidr }})%s fills, it will be full in
              {{- with printf "min by (ippool) (calico_ipam_pool_exhaustion_seconds{bound=\"earliest\",ippool=%%q,k8s_cluster_name=%%q})"
              $labels.ippool $labels.k8s_cluster_name | query }} {{ . | first | value | humanizeDuration }} at the earliest and in{{ end }}
              {{ $value | humanizeDuration }} at the latest.
            ||| % inCluster
          ),
          rule(
            'CalicoIPPoolBlocksExhausted',
            'warning',
            '30m',
            // Nodes claim no blocks of a pool that is not for pods.
            |||
              min_over_time(calico_ipam_pool_utilization_ratio[10m]) <= %g
              and on (k8s_cluster_name, ippool) min_over_time(calico_ipam_pool_block_utilization_ratio[10m]) == 1
              unless on (k8s_cluster_name, ippool) last_over_time(calico_ipam_pool_info{allowed_uses!~".*Workload.*"}[10m])
            ||| % thresholds.poolUtilization + watched,
            'All blocks of IP pool {{ $labels.ippool }}' + inCluster + ' are claimed, with {{ $value | humanizePercentage }} of its addresses allocated.',
            |||
              Nodes have claimed all blocks of IP pool {{ $labels.ippool }} ({{ $labels.cidr }})%s, of whose addresses only {{ $value | humanizePercentage }} are
              allocated. A node that needs another block borrows addresses of other nodes' blocks, or with strictAffinity gets none.
            ||| % inCluster
          ),
        ],
      },
      {
        name: 'calico-ip-addresses',
        rules: [
          rule(
            'CalicoNodesStarved',
            'critical',
            '5m',
            'min_over_time(calico_ipam_nodes{state="starved"}[5m]) > 0',
            '{{ $value | humanize }} nodes' + inCluster + ' have no {{ $labels.ip_family }} address left for new pods.',
            |||
              {{ $value | humanize }} nodes%s can give new pods no {{ $labels.ip_family }} address: their own blocks are full, and they can neither claim nor borrow
              more. Pods that are scheduled there do not start.
            ||| % inCluster
          ),
          rule(
            'CalicoNodesCapped',
            'warning',
            '30m',
            'min_over_time(calico_ipam_nodes{state="capped"}[10m]) > 0',
            '{{ $value | humanize }} nodes' + inCluster + ' may claim no more {{ $labels.ip_family }} blocks.',
            |||
              {{ $value | humanize }} nodes%s have as many {{ $labels.ip_family }} blocks as Calico lets a node have (maxBlocksPerHost). They still have addresses in
              these; when they are used up new pods there get none, however many are left in the pools.
            ||| % inCluster
          ),
          rule(
            'CalicoIPAMGarbageCollectionStuck',
            'warning',
            '30m',
            |||
              sum by (k8s_cluster_name, ippool) (
                max without (instance, k8s_node_name, k8s_pod_name) (min_over_time(ipam_allocations_gc_candidates[30m]))
              ) > 0
            |||,
            '{{ $value | humanize }} addresses of IP pool {{ $labels.ippool }}' + inCluster + ' wait to be taken back, and are not.',
            |||
              For an hour kube-controllers has found no pod for {{ $value | humanize }} allocated addresses of IP pool {{ $labels.ippool }}%s, and has not taken
              them back. By default it does so after 15 minutes.
            ||| % inCluster
          ),
          rule(
            'CalicoIPAMAddressesLeaking',
            'warning',
            '10m',
            |||
              sum by (k8s_cluster_name, ippool) (increase(ipam_allocations_gc_reclamations[30m])) > %(reclaimedPerHalfHour)g
              and
              sum by (k8s_cluster_name, ippool) (increase(ipam_allocations_gc_reclamations[30m] offset 30m)) > %(reclaimedPerHalfHour)g
            ||| % thresholds,
            'Addresses of IP pool {{ $labels.ippool }}' + inCluster + ' are not given back by those who had them.',
            |||
              The garbage collector took {{ $value | humanize }} addresses of IP pool {{ $labels.ippool }}%s back within half an hour, and before that as
              well: pods end without that their addresses are released.
            ||| % inCluster
          ),
          rule(
            'CalicoIPAMOrphanedAllocations',
            'warning',
            '1h',
            'min_over_time(calico_ipam_orphaned_allocations[10m]) > 0',
            '{{ $value | humanize }} allocated addresses' + inCluster + ' belong to no IP pool.',
            |||
              {{ $value | humanize }} addresses%s are allocated in blocks that no IP pool covers, as when a pool is deleted while pods have addresses of it. They
              are in no pool's numbers, and Calico does not route or translate them as its pools say.
            ||| % inCluster
          ),
          rule(
            'CalicoDatastoreNotReady',
            'warning',
            '15m',
            'max_over_time(calico_datastore_ready[5m]) == 0',
            "Calico's datastore" + inCluster + ' is locked.',
            |||
              ClusterInformation says datastoreReady: false%s, as during an upgrade or a migration. Nothing of Calico's configuration is followed meanwhile, and
              the numbers of IPAM stand still.
            ||| % inCluster
          ),
        ],
      },
    ],
  },
}
