// One node: its addresses, its Felix and its BGP sessions.
local d = import '../dashboard.libsonnet';

{
  local config = $._config,
  local thresholds = config.thresholds,
  local node = 'k8s_cluster_name=~"$cluster",node=~"$node"',
  local felix = 'k8s_cluster_name=~"$cluster",k8s_node_name=~"$node",job="calico-felix"',

  grafanaDashboards+:: {
    'node.json': d.dashboard(
      config,
      config.dashboards.node,
      'Calico / Node',
      'One node: the addresses that it has and can still give, what Felix does there, and its BGP sessions.',
      [
        d.variable('cluster', 'Cluster', 'label_values(calico_ipam_node_blocks, k8s_cluster_name)') + d.one,
        d.variable('node', 'Node', 'label_values(calico_ipam_node_blocks{k8s_cluster_name=~"$cluster"}, node)') + d.one,
      ],
      [
        d.row('Now', [
          d.stat(
            'Addresses left',
            'Addresses that the node could give to new pods. IPv6 pools have more than anybody counts.',
            'short',
            'min(calico_ipam_node_assignable{%s,ip_family="IPv4"})' % node
          ) + d.runbook(config, 'CalicoNodesStarved') + d.size(4, 4),
          d.stat('In use', 'Addresses of the node that are in use.', 'short', 'sum(ipam_allocations_in_use{%s})' % node) + d.size(4, 4),
          d.stat(
            'Blocks that it may still claim',
            'The limit of blocks a node, less those that it has.',
            'short',
            'min(clamp_min(calico_ipam_node_blocks_limit{%s} - calico_ipam_node_blocks{%s}, 0))' % [node, node]
          ) + d.runbook(config, 'CalicoNodesCapped') + d.size(4, 4),
          d.stat('Endpoints', 'Endpoints that Felix has on the node. Empty where Felix is not scraped.', 'none', 'max(felix_active_local_endpoints{%s})' % felix) + d.size(4, 4),
          d.stat(
            'BGP sessions down',
            'Sessions that are not established. Empty where the node has no CalicoNodeStatus.',
            'none',
            'sum(calico_bgp_peers{%s}) - sum(calico_bgp_peers{%s,state="Established"})' % [node, node]
          ) + d.thresholds(1) + d.runbook(config, 'CalicoBGPSessionDown') + d.size(4, 4),
          d.stat(
            'Age of its status', 'How old what is said of BGP is. Empty where the node has no CalicoNodeStatus.', 's', 'max(calico_node_status_age_seconds{%s})' % node
          ) + d.runbook(config, 'CalicoNodeStatusStale') + d.size(4, 4),
        ]),
        d.row('Addresses', [
          d.timeseries('In use', 'Addresses of the node that are in use, by pool.', 'short', [
            d.query('sum by (ippool) (ipam_allocations_in_use{%s})' % node, '{{ippool}}'),
          ]) + d.size(8, 8),
          d.timeseries('Left', 'IPv4 addresses that the node could give to new pods, in blocks that it has, may claim, or may borrow from.', 'short', [
            d.query('min(calico_ipam_node_assignable{%s,ip_family="IPv4"})' % node, 'left'),
          ]) + d.runbook(config, 'CalicoNodesStarved') + d.size(8, 8),
          d.timeseries('Blocks', 'Blocks of the node, and how many it may have of each IP family.', 'short', [
            d.query('max(calico_ipam_node_blocks_limit{%s})' % node, 'limit'),
            d.query('max(calico_ipam_node_blocks{%s,ip_family="IPv4"})' % node, 'IPv4'),
            d.query('max(calico_ipam_node_blocks{%s,ip_family="IPv6"})' % node, 'IPv6'),
          ]) + d.runbook(config, 'CalicoNodesCapped') + d.size(8, 8),
        ]),
        d.row('Felix', [
          d.timeseries(
            'Time to apply a change', 'How long Felix takes to bring a change into the dataplane, on average. Empty where Felix is not scraped.', 's', [
              d.query(
                |||
                  sum(rate(felix_int_dataplane_apply_time_seconds_sum{%s}[$__rate_interval]))
                  / sum(rate(felix_int_dataplane_apply_time_seconds_count{%s}[$__rate_interval]))
                ||| % [felix, felix], 'average'
              ),
            ]
          ) + d.thresholds(thresholds.applySeconds) + d.lines + d.runbook(config, 'CalicoFelixApplySlow') + d.size(8, 8),
          d.timeseries(
            'Failures',
            'Changes that Felix failed to bring into the dataplane, and failed calls of the tools that it uses, within the time of a point. Empty where Felix is not scraped.',
            'short',
            [
              d.query('sum(increase(felix_int_dataplane_failures{%s}[$__rate_interval]))' % felix, 'dataplane'),
              d.query(
                'sum(increase(felix_iptables_save_errors{%s}[$__rate_interval])) + sum(increase(felix_iptables_restore_errors{%s}[$__rate_interval]))' % [felix, felix],
                'iptables'
              ),
              d.query('sum(increase(felix_ipset_errors{%s}[$__rate_interval]))' % felix, 'ipset'),
              d.query('sum(increase(felix_nft_errors{%s}[$__rate_interval]))' % felix, 'nftables'),
            ]
          ) + d.runbook(config, 'CalicoFelixDataplaneFailures') + d.size(8, 8),
          d.timeseries('Endpoints and policies', 'What Felix has to do with on the node. Empty where Felix is not scraped.', 'short', [
            d.query('max(felix_active_local_endpoints{%s})' % felix, 'endpoints'),
            d.query('max(felix_active_local_policies{%s})' % felix, 'policies'),
          ]) + d.size(8, 8),
        ]),
        d.row('BGP', [
          d.timeseries('Sessions', 'Sessions that are established, and all. Empty where the node has no CalicoNodeStatus.', 'none', [
            d.query('sum(calico_bgp_peers{%s})' % node, 'all'),
            d.query('sum(calico_bgp_peers{%s,state="Established"})' % node, 'established'),
          ]) + d.runbook(config, 'CalicoBGPNodeWithoutSessions') + d.size(12, 8),
          d.table(
            'Sessions that are down',
            'Each session that is not established, and its state. Empty where all are, or where the node has no CalicoNodeStatus.',
            ['node', 'k8s_cluster_name'],
            [{ name: 'Down', unit: 'none', expr: 'max by (peer, peer_type, state) (calico_bgp_peer_down{%s})' % node }]
          ) + d.runbook(config, 'CalicoBGPSessionDown') + d.size(12, 8),
        ]),
      ]
    ),
  },
}
