// Alerts on BGP sessions, from CalicoNodeStatus.
//
// A session that does not come up goes from state to state, and each has a series of its own: they are put together before time is looked at. How long it
// is down is looked at for each node before nodes are counted, because a rollout takes sessions of another node down every minute.
local alert = import '../alert.libsonnet';
local count = alert.count;
local inCluster = alert.inCluster;
local rule = alert.rule;

{
  local thresholds = $._config.thresholds,

  // fresh are nodes whose status is true.
  local fresh = 'unless on (k8s_cluster_name, node) last_over_time(calico_node_status_stale[5m])',

  // withFamily has the IP family of a session, which only its address tells.
  local withFamily(expr) =
    'label_replace(label_replace(%s, "ip_family", "IPv4", "", ""), "ip_family", "IPv6", "peer", ".*:.*")' % expr,

  // nodes names some of the nodes that a query of the cluster of an alert answers with.
  local nodes(query) =
    '{{ with printf "%s" $labels.k8s_cluster_name%s | query | sortByLabel "node" }}' % query
    + ': {{ range $i, $n := . }}{{ if lt $i 5 }}{{ if $i }}, {{ end }}{{ $n.Labels.node }}{{ end }}{{ if eq $i 5 }}, …{{ end }}{{ end }}{{ end }}',

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'calico-bgp',
        rules: [
          // A node that has lost all of many peers is told of by the next rule, and not by one alert for each peer.
          rule(
            'CalicoBGPSessionDown',
            'warning',
            '3m',
            |||
              count by (k8s_cluster_name, ip_family, peer) (
                count_over_time(
                  max by (k8s_cluster_name, ip_family, node, peer) (
                    %(down)s
                  )[15m:1m]
                ) > %(downMinutes)d
                %(fresh)s
                unless on (k8s_cluster_name, ip_family, node) (
                  sum by (k8s_cluster_name, ip_family, node) (calico_bgp_peers{state="Established"}) == 0
                  and
                  sum by (k8s_cluster_name, ip_family, node) (calico_bgp_peers) > %(isolatedNodePeers)d
                )
              )
            ||| % (thresholds { down: withFamily('calico_bgp_peer_down'), fresh: fresh }),
            'No BGP session with {{ $labels.peer }} on ' + count('node') + inCluster + '.',
            |||
              For most of the last quarter of an hour %s%s had no BGP session with {{ $labels.peer }}%s. No {{ $labels.ip_family }} routes are
              exchanged between them.
            ||| % [count('node'), inCluster, nodes(['count by (node) (calico_bgp_peer_down{k8s_cluster_name=%q,peer=%q})', ' $labels.peer'])]
          ),
          rule(
            'CalicoBGPNodeWithoutSessions',
            'critical',
            '5m',
            |||
              sum by (k8s_cluster_name, ip_family, node) (max_over_time(calico_bgp_peers{state="Established"}[5m])) == 0
              %s
            ||| % fresh,
            'Node {{ $labels.node }}' + inCluster + ' has no BGP session of {{ $labels.ip_family }}.',
            |||
              None of the
              {{- with printf "sum(calico_bgp_peers{k8s_cluster_name=%%q,node=%%q,ip_family=%%q})"
              $labels.k8s_cluster_name $labels.node $labels.ip_family | query }} {{ . | first | value | humanize }}{{ end }}
              BGP sessions of {{ $labels.ip_family }} of node {{ $labels.node }}%s is established. Others lose the routes to its pods, and it
              those to theirs.
            ||| % inCluster
          ),
          // A cluster without BGP has no BIRD that is ready, and never had a session.
          rule(
            'CalicoBGPAgentDown',
            'critical',
            '10m',
            |||
              max by (k8s_cluster_name, ip_family, node) (last_over_time(calico_bgp_agent_down[5m]))
              and on (k8s_cluster_name, ip_family) (calico_bgp_peers or calico_bgp_peers offset 1d)
              %s
            ||| % fresh,
            'BIRD for {{ $labels.ip_family }} is not ready on node {{ $labels.node }}' + inCluster + '.',
            |||
              The BGP daemon of {{ $labels.ip_family }} on node {{ $labels.node }}%s has not been ready for 10 minutes. The node announces no routes to its pods
              and learns none; its sessions are not known meanwhile.
            ||| % inCluster
          ),
          rule(
            'CalicoNodeStatusStale',
            'warning',
            '3m',
            |||
              count by (k8s_cluster_name) (
                count_over_time(max by (k8s_cluster_name, node) (calico_node_status_stale)[15m:1m]) > %(downMinutes)d
              )
            ||| % thresholds,
            'The status of ' + count('node') + inCluster + ' is not updated.',
            |||
              For most of the last quarter of an hour an update of the CalicoNodeStatus of %s%s has been overdue%s. Whether BGP sessions there are up is not
              known.
            ||| % [count('node'), inCluster, nodes(['calico_node_status_stale{k8s_cluster_name=%q}', ''])]
          ),
        ],
      },
    ],
  },
}
