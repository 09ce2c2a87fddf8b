// One pool: what its addresses and blocks are used for, and when it will be full.
local d = import '../dashboard.libsonnet';

{
  local config = $._config,
  local thresholds = config.thresholds,
  local pool = 'k8s_cluster_name=~"$cluster",ippool=~"$ippool"',

  grafanaDashboards+:: {
    'pool.json': d.dashboard(
      config,
      config.dashboards.pool,
      'Calico / IP pool',
      'One IP pool: how full it is, when it will be full, what its addresses and blocks are used for, and on which nodes.',
      [
        d.variable('cluster', 'Cluster', 'label_values(calico_ipam_pool_utilization_ratio, k8s_cluster_name)') + d.one,
        d.variable('ippool', 'IP pool', 'label_values(calico_ipam_pool_utilization_ratio{k8s_cluster_name=~"$cluster"}, ippool)') + d.one,
      ],
      [
        d.row('Now', [
          d.stat('Allocated', 'Of what the pool can give, how much is allocated.', 'percentunit', 'max(calico_ipam_pool_utilization_ratio{%s})' % pool)
          + d.thresholds(thresholds.poolUtilization, 1) + d.runbook(config, 'CalicoIPPoolFilling') + d.size(4, 4),
          d.stat('Left', 'Addresses that are neither allocated nor reserved.', 'short', 'max(calico_ipam_pool_available{%s})' % pool)
          + d.runbook(config, 'CalicoIPPoolFull') + d.size(4, 4),
          d.stat(
            'Assignable',
            'Addresses that a pod could get now: those left, without those that cool down and those in blocks that no node gets at.',
            'short',
            'max(calico_ipam_pool_assignable{%s})' % pool
          ) + d.size(4, 4),
          d.stat('Blocks claimed', 'Of the blocks of the pool, how many nodes have claimed.', 'percentunit', 'max(calico_ipam_pool_block_utilization_ratio{%s})' % pool)
          + d.thresholds(null, 1) + d.runbook(config, 'CalicoIPPoolBlocksExhausted') + d.size(4, 4),
          d.stat(
            'Full at the earliest in',
            'If it grows as fast as it ever did for long. Empty where the pool does not grow, or where its history is too short.',
            's',
            'min(calico_ipam_pool_exhaustion_seconds{%s,bound="earliest"})' % pool
          ) + d.runbook(config, 'CalicoIPPoolFullSoon') + d.size(4, 4),
          d.stat(
            'Full at the latest in',
            'If it grows as slowly as it ever did for long. Empty where it may not become full at all.',
            's',
            'max(calico_ipam_pool_exhaustion_seconds{%s,bound="latest"})' % pool
          ) + d.runbook(config, 'CalicoIPPoolFullSoon') + d.size(4, 4),
        ]),
        d.row('Addresses', [
          d.timeseries('Size and use', 'What the pool can give, and what of it is allocated. Where the lines meet the pool is full.', 'short', [
            d.query('max(ipam_ippool_size{%s}) - (max(ipam_ippool_reserved{%s}) or vector(0))' % [pool, pool], 'can be given'),
            d.query('max(calico_ipam_pool_allocated{%s})' % pool, 'allocated'),
            d.query('max(calico_ipam_pool_cooling{%s})' % pool, 'of these cooling down'),
          ]) + d.runbook(config, 'CalicoIPPoolFilling') + d.size(12, 9),
          d.timeseries('Used for', 'What the allocated addresses are for.', 'short', [
            d.query('max(calico_ipam_allocations{%s,use="%s"})' % [pool, use], use)
            for use in ['workload', 'tunnel', 'load_balancer', 'windows_reserved', 'other']
          ]) + d.stacked + d.size(12, 9),
          d.timeseries(
            'Full in', 'How long it takes until the pool is full, with the range of the forecast. Empty where the pool does not grow, or where its history is too short.', 's', [
              d.query('min(calico_ipam_pool_exhaustion_seconds{%s,bound="%s"})' % [pool, bound], bound)
              for bound in ['expected', 'earliest', 'latest']
            ]
          ) + d.runbook(config, 'CalicoIPPoolFullSoon') + d.size(12, 9),
          d.timeseries('Growth', 'By how many addresses an hour the pool grows, taken over its history.', 'short', [
            d.query('max(calico_ipam_pool_growth_per_hour{%s})' % pool, 'addresses an hour'),
          ]) + { fieldConfig+: { defaults+: { min: null } } } + d.size(12, 9),
        ]),
        d.row('Blocks and nodes', [
          d.timeseries(
            'Blocks',
            'Blocks with and without addresses in use, those that nodes can still claim, and those that are reserved whole.',
            'short',
            [
              d.query('max(calico_ipam_pool_blocks{%s,state="%s"})' % [pool, state], state)
              for state in ['used', 'empty', 'unclaimed', 'reserved']
            ]
          ) + d.runbook(config, 'CalicoIPPoolBlocksExhausted') + d.size(8, 9),
          d.timeseries(
            'Borrowed',
            'Addresses in use in a block of another node: nodes borrow when they can claim no more blocks.',
            'short',
            [d.query('sum(ipam_allocations_borrowed{%s})' % pool, 'borrowed')]
          ) + d.size(8, 9),
          d.timeseries(
            'Garbage',
            'Allocated addresses whose pod kube-controllers does not find, and addresses that it took back within the time of a point. Empty where kube-controllers cannot be scraped.',
            'short',
            [
              d.query('sum(ipam_allocations_gc_candidates{%s})' % pool, 'candidates'),
              d.query('sum(increase(ipam_allocations_gc_reclamations{%s}[$__rate_interval]))' % pool, 'taken back'),
            ]
          ) + d.runbook(config, 'CalicoIPAMGarbageCollectionStuck') + d.size(8, 9),
          d.table(
            'Nodes with the most addresses',
            'The 20 nodes with the most addresses of the pool in use, and what of these they borrowed.',
            ['ippool'],
            [
              {
                name: 'In use',
                unit: 'short',
                expr: 'topk(20, sum by (k8s_cluster_name, node) (ipam_allocations_in_use{%s}))' % pool,
              },
              {
                name: 'Borrowed',
                unit: 'short',
                expr: |||
                  sum by (k8s_cluster_name, node) (ipam_allocations_borrowed{%s})
                  and topk(20, sum by (k8s_cluster_name, node) (ipam_allocations_in_use{%s}))
                ||| % [pool, pool],
              },
              {
                name: 'Blocks',
                unit: 'short',
                expr: |||
                  sum by (k8s_cluster_name, node) (ipam_blocks{%s})
                  and topk(20, sum by (k8s_cluster_name, node) (ipam_allocations_in_use{%s}))
                ||| % [pool, pool],
              },
            ]
          ) + {
            fieldConfig+: {
              overrides+: [{
                matcher: { id: 'byName', options: 'node' },
                properties: d.linked('The node', config.dashboards.node, { cluster: 'k8s_cluster_name', node: 'node' }),
              }],
            },
          } + d.size(24, 9),
        ]),
      ]
    ),
  },
}
