// All clusters' pools: which of them will be full, and when.
local d = import '../dashboard.libsonnet';

{
  local config = $._config,
  local thresholds = config.thresholds,
  local pools = 'k8s_cluster_name=~"$cluster",ip_family=~"$ip_family"',
  local cluster = 'k8s_cluster_name=~"$cluster"',
  local enabled = 'unless on (k8s_cluster_name, ippool) calico_ipam_pool_info{%s,state!="enabled"}' % pools,
  local count(expr) = 'count(%s) or vector(0)' % expr,

  grafanaDashboards+:: {
    'ipam.json': d.dashboard(
      config,
      config.dashboards.ipam,
      'Calico / IPAM overview',
      'How full the IP pools of all clusters are, which will be full next, and what keeps addresses from being given out.',
      [
        d.variable('cluster', 'Cluster', 'label_values(calico_ipam_pool_utilization_ratio, k8s_cluster_name)'),
        d.variable('ip_family', 'IP family', 'label_values(calico_ipam_pool_utilization_ratio{%s}, ip_family)' % cluster),
      ],
      [
        d.row('Now', [
          d.stat('Clusters', 'Clusters whose pools are known.', 'none', count('count by (k8s_cluster_name) (calico_ipam_pool_utilization_ratio{%s})' % pools)) + d.size(4, 4),
          d.stat('Pools', 'Pools that give out addresses.', 'none', count('calico_ipam_pool_utilization_ratio{%s} %s' % [pools, enabled])) + d.size(4, 4),
          d.stat(
            'Pools filling',
            'Pools of which more than %d %% are allocated, full ones among them.' % (thresholds.poolUtilization * 100),
            'none',
            count('calico_ipam_pool_utilization_ratio{%s} > %g %s' % [pools, thresholds.poolUtilization, enabled])
          ) + d.thresholds(1) + d.runbook(config, 'CalicoIPPoolFilling') + d.size(4, 4),
          d.stat('Pools full', 'Pools without an address that is not allocated or reserved, but for those that are reserved whole.', 'none', count('calico_ipam_pool_available{%s} == 0 and on (k8s_cluster_name, ippool) calico_ipam_pool_utilization_ratio{%s} %s' % [pools, pools, enabled]))
          + d.thresholds(null, 1) + d.runbook(config, 'CalicoIPPoolFull') + d.size(4, 4),
          d.stat(
            'Nodes without an address', 'Nodes that have no address left to give to a new pod.', 'none', 'sum(calico_ipam_nodes{%s,state="starved"})' % pools
          ) + d.thresholds(null, 1) + d.runbook(config, 'CalicoNodesStarved') + d.size(4, 4),
          d.stat(
            'Orphaned addresses', 'Addresses that are allocated in blocks of no pool.', 'none', 'sum(calico_ipam_orphaned_allocations{%s})' % cluster
          ) + d.thresholds(1) + d.runbook(config, 'CalicoIPAMOrphanedAllocations') + d.size(4, 4),
        ]),
        d.row('Pools', [
          d.table(
            'Pools',
            'The pools of all clusters. Left is what is neither allocated nor reserved. Where a pool does not grow, or where there is too little history, nothing says when it will be full.',
            ['ip_family', 'bound'],
            [
              {
                name: 'Allocated',
                unit: 'percentunit',
                expr: 'max by (k8s_cluster_name, ippool, cidr) (calico_ipam_pool_utilization_ratio{%s})' % pools,
                properties: d.colored(thresholds.poolUtilization, 1),
              },
              { name: 'Left', unit: 'short', expr: 'max by (k8s_cluster_name, ippool, cidr) (calico_ipam_pool_available{%s})' % pools },
              {
                name: 'Blocks claimed',
                unit: 'percentunit',
                expr: 'max by (k8s_cluster_name, ippool, cidr) (calico_ipam_pool_block_utilization_ratio{%s})' % pools,
              },
              { name: 'Addresses an hour', unit: 'short', expr: 'max by (k8s_cluster_name, ippool, cidr) (calico_ipam_pool_growth_per_hour{%s})' % pools },
              {
                name: 'Full at the earliest in',
                unit: 's',
                expr: 'min by (k8s_cluster_name, ippool, cidr) (calico_ipam_pool_exhaustion_seconds{%s,bound="earliest"})' % pools,
              },
              {
                name: 'at the latest in',
                unit: 's',
                expr: 'max by (k8s_cluster_name, ippool, cidr) (calico_ipam_pool_exhaustion_seconds{%s,bound="latest"})' % pools,
              },
            ]
          ) + {
            fieldConfig+: {
              overrides+: [{
                matcher: { id: 'byName', options: 'ippool' },
                properties: d.linked('The pool', config.dashboards.pool, { cluster: 'k8s_cluster_name', ippool: 'ippool' }),
              }],
            },
          } + d.size(24, 10),
        ]),
        d.row('Over time', [
          d.timeseries(
            'Allocated',
            'Of what each pool can give, how much is allocated.',
            'percentunit',
            [d.query('max by (k8s_cluster_name, ippool) (calico_ipam_pool_utilization_ratio{%s})' % pools, '{{k8s_cluster_name}} {{ippool}}')]
          ) + d.max(1) + d.thresholds(thresholds.poolUtilization, 1) + d.lines + d.runbook(config, 'CalicoIPPoolFilling') + d.size(12, 9),
          d.timeseries(
            'Blocks claimed',
            'Of the blocks of each pool, how many nodes have claimed. Where all are claimed, a node that needs another one has to borrow addresses, whatever is left in the pool.',
            'percentunit',
            [d.query('max by (k8s_cluster_name, ippool) (calico_ipam_pool_block_utilization_ratio{%s})' % pools, '{{k8s_cluster_name}} {{ippool}}')]
          ) + d.max(1) + d.thresholds(null, 1) + d.lines + d.runbook(config, 'CalicoIPPoolBlocksExhausted') + d.size(12, 9),
          d.timeseries(
            'Clusters',
            'Of what the pools for pods of a cluster can give, how much is allocated, IPv4 and IPv6 apart.',
            'percentunit',
            [d.query('max by (k8s_cluster_name, ip_family) (calico_ipam_cluster_utilization_ratio{%s})' % pools, '{{k8s_cluster_name}} {{ip_family}}')]
          ) + d.max(1) + d.thresholds(thresholds.poolUtilization, 1) + d.lines + d.size(12, 9),
          d.timeseries(
            'Growth',
            'By how many addresses an hour each pool grows, taken over its history.',
            'short',
            [d.query('max by (k8s_cluster_name, ippool) (calico_ipam_pool_growth_per_hour{%s})' % pools, '{{k8s_cluster_name}} {{ippool}}')]
          ) + { fieldConfig+: { defaults+: { min: null } } } + d.size(12, 9),
        ]),
        d.row('What keeps addresses back', [
          d.timeseries(
            'Nodes',
            'Nodes that can give out addresses, that can but may not claim another block, and that have none left.',
            'none',
            [
              d.query('sum(calico_ipam_nodes{%s,state="%s"})' % [pools, state.name], state.name, state.color)
              for state in [{ name: 'ok', color: d.fine }, { name: 'capped', color: d.warning }, { name: 'starved', color: d.critical }]
            ]
          ) + d.stacked + d.runbook(config, 'CalicoNodesStarved') + d.size(8, 8),
          d.timeseries(
            'Candidates of the garbage collector',
            'Allocated addresses whose pod kube-controllers does not find. They are taken back after a while; where they stay, the collector is stuck. Empty where kube-controllers cannot be scraped.',
            'none',
            [d.query('sum by (k8s_cluster_name, ippool) (ipam_allocations_gc_candidates{%s})' % cluster, '{{k8s_cluster_name}} {{ippool}}')]
          ) + d.runbook(config, 'CalicoIPAMGarbageCollectionStuck') + d.size(8, 8),
          d.timeseries(
            'Taken back by the garbage collector',
            'Addresses that nobody had given back, within the time of a point. Empty until the first one.',
            'none',
            [d.query('sum by (k8s_cluster_name, ippool) (increase(ipam_allocations_gc_reclamations{%s}[$__rate_interval]))' % cluster, '{{k8s_cluster_name}} {{ippool}}')]
          ) + d.runbook(config, 'CalicoIPAMAddressesLeaking') + d.size(8, 8),
        ]),
      ]
    ),
  },
}
