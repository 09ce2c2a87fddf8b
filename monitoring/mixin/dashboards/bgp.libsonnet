// BGP sessions, as far as CalicoNodeStatus tells of them.
local d = import '../dashboard.libsonnet';

{
  local config = $._config,
  local nodes = 'k8s_cluster_name=~"$cluster",node=~"$node"',
  local withoutSessions = 'sum by (k8s_cluster_name, node, ip_family) (calico_bgp_peers{%s,state="Established"}) == 0' % nodes,
  local count(expr) = 'count(%s) or vector(0)' % expr,
  // Series that are there only where something is wrong, as numbers that are 0 where it is not.
  local countOf(expr) = 'count by (k8s_cluster_name) (%s) or count by (k8s_cluster_name) (calico_node_status_age_seconds{%s}) * 0' % [expr, nodes],

  grafanaDashboards+:: {
    'bgp.json': d.dashboard(
      config,
      config.dashboards.bgp,
      'Calico / BGP',
      'BGP sessions of the nodes that somebody created a CalicoNodeStatus for, which sessions are down, and where BIRD is not ready.',
      [
        d.variable('cluster', 'Cluster', 'label_values(calico_node_status_age_seconds, k8s_cluster_name)'),
        d.variable('node', 'Node', 'label_values(calico_node_status_age_seconds{k8s_cluster_name=~"$cluster"}, node)'),
      ],
      [
        d.row('Now', [
          d.stat(
            'Nodes',
            'Nodes that have a CalicoNodeStatus. Of the others nothing is known: each needs an object of its own.',
            'none',
            count('calico_node_status_age_seconds{%s}' % nodes)
          ) + d.size(4, 4),
          d.stat(
            'Sessions established',
            'BGP sessions that are up, seen from each node.',
            'none',
            'sum(calico_bgp_peers{%s,state="Established"}) or vector(0)' % nodes
          ) + d.size(4, 4),
          d.stat(
            'Sessions down',
            'BGP sessions that are in another state than Established, seen from each node. Some are while nodes start; those that stay are in the table below.',
            'none',
            'sum(calico_bgp_peers{%s,state!="Established"}) or vector(0)' % nodes
          ) + d.thresholds(1) + d.runbook(config, 'CalicoBGPSessionDown') + d.size(4, 4),
          d.stat(
            'Nodes without a session',
            'Nodes that have BGP peers of an IP family and no session with any of them: others have no routes to their pods.',
            'none',
            count(withoutSessions)
          ) + d.thresholds(null, 1) + d.runbook(config, 'CalicoBGPNodeWithoutSessions') + d.size(4, 4),
          d.stat(
            'BIRD not ready',
            'BIRD processes that are not ready, one a node and IP family. Where a cluster does not use BGP that is no fault.',
            'none',
            count('calico_bgp_agent_down{%s}' % nodes)
          ) + d.thresholds(null, 1) + d.runbook(config, 'CalicoBGPAgentDown') + d.size(4, 4),
          d.stat(
            'Stale statuses',
            'Nodes whose calico-node should have updated the status and did not. Their sessions are not known and in no other panel.',
            'none',
            count('calico_node_status_stale{%s}' % nodes)
          ) + d.thresholds(1) + d.runbook(config, 'CalicoNodeStatusStale') + d.size(4, 4),
        ]),
        d.row('Sessions', [
          d.timeseries(
            'Established',
            'Sessions that are up, by IP family. A step down is a node or a peer that is lost. Empty where the nodes have no BGP peers.',
            'none',
            [d.query('sum by (k8s_cluster_name, ip_family) (calico_bgp_peers{%s,state="Established"})' % nodes, '{{k8s_cluster_name}} {{ip_family}}')]
          ) + d.size(12, 9),
          d.timeseries(
            'Not established',
            'Sessions in any other state, by IP family. Worry where they stay. Empty where the nodes have no BGP peers.',
            'none',
            [d.query(
              |||
                sum by (k8s_cluster_name, ip_family) (
                  calico_bgp_peers{%(nodes)s,state!="Established"} or calico_bgp_peers{%(nodes)s,state="Established"} * 0
                )
              ||| % { nodes: nodes },
              '{{k8s_cluster_name}} {{ip_family}}'
            )]
          ) + d.runbook(config, 'CalicoBGPSessionDown') + d.size(12, 9),
          d.table(
            'Sessions that are down',
            'Each session that is not established, and for how much of the last hour it was in the state that it is in. Empty where all sessions are up.',
            [],
            [{
              name: 'In this state, of the last hour',
              unit: 'm',
              expr: |||
                count_over_time(max by (k8s_cluster_name, node, peer, peer_type, state) (calico_bgp_peer_down{%(nodes)s})[1h:1m])
                and
                max by (k8s_cluster_name, node, peer, peer_type, state) (calico_bgp_peer_down{%(nodes)s})
              ||| % { nodes: nodes },
            }]
          ) + {
            fieldConfig+: {
              overrides+: [{
                matcher: { id: 'byName', options: 'node' },
                properties: d.linked('The node', config.dashboards.node, { cluster: 'k8s_cluster_name', node: 'node' }),
              }],
            },
          } + d.runbook(config, 'CalicoBGPSessionDown') + d.size(16, 10),
          d.bars(
            'Peers that most nodes miss',
            'Peers by how many nodes have no session with them. One that many miss is down itself. Empty where all sessions are up.',
            'none',
            'topk(10, count by (k8s_cluster_name, peer) (count by (k8s_cluster_name, node, peer) (calico_bgp_peer_down{%s})))' % nodes,
            '{{k8s_cluster_name}} {{peer}}'
          ) + d.thresholds(1) + d.runbook(config, 'CalicoBGPSessionDown') + d.size(8, 10),
        ]),
        d.row('Nodes', [
          d.table(
            'Status of each node',
            'The nodes that have a CalicoNodeStatus. Where it is stale, the sessions are not known. Empty where nobody created one.',
            [],
            [
              { name: 'Established', unit: 'none', expr: 'sum by (k8s_cluster_name, node) (calico_bgp_peers{%s,state="Established"})' % nodes },
              {
                name: 'Not established',
                unit: 'none',
                expr: 'sum by (k8s_cluster_name, node) (calico_bgp_peers{%s,state!="Established"})' % nodes,
                properties: d.colored(1, null),
              },
              {
                name: 'BIRD not ready',
                unit: 'none',
                expr: 'count by (k8s_cluster_name, node) (calico_bgp_agent_down{%s})' % nodes,
                properties: d.colored(null, 1),
              },
              { name: 'Last written', unit: 's', expr: 'max by (k8s_cluster_name, node) (calico_node_status_age_seconds{%s})' % nodes },
              {
                name: 'Stale',
                unit: 'none',
                expr: 'max by (k8s_cluster_name, node) (calico_node_status_stale{%s})' % nodes,
                properties: d.colored(1, null),
              },
            ]
          ) + {
            fieldConfig+: {
              overrides+: [{
                matcher: { id: 'byName', options: 'node' },
                properties: d.linked('The node', config.dashboards.node, { cluster: 'k8s_cluster_name', node: 'node' }),
              }],
            },
          } + d.runbook(config, 'CalicoNodeStatusStale') + d.size(24, 10),
        ]),
        d.row('What is not known, and why', [
          d.timeseries(
            'BIRD not ready, over time',
            'BIRD processes that are not ready. Empty where nobody created a CalicoNodeStatus.',
            'none',
            [d.query(countOf('calico_bgp_agent_down{%s}' % nodes), '{{k8s_cluster_name}}')]
          ) + d.runbook(config, 'CalicoBGPAgentDown') + d.size(8, 8),
          d.timeseries(
            'Stale statuses, over time',
            'Nodes whose status is overdue. Empty where nobody created a CalicoNodeStatus.',
            'none',
            [d.query(countOf('calico_node_status_stale{%s}' % nodes), '{{k8s_cluster_name}}')]
          ) + d.runbook(config, 'CalicoNodeStatusStale') + d.size(8, 8),
          d.timeseries(
            'Age of the oldest status',
            'Time since it was written. calico-node writes only what changed, so that an old one may be true. Empty where nobody created one.',
            's',
            [d.query('max by (k8s_cluster_name) (calico_node_status_age_seconds{%s})' % nodes, '{{k8s_cluster_name}}')]
          ) + d.size(8, 8),
        ]),
      ]
    ),
  },
}
