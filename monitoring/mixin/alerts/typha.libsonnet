// Alerts on Typha, of one of its pods each. It is on the network of its node, so that node and instance outlive the pod; Typhas that were configured by hand
// have no node.
local alert = import '../alert.libsonnet';
local inCluster = alert.inCluster;
local node = alert.node;
local rule = alert.rule;

{
  local thresholds = $._config.thresholds,
  local one = 'k8s_cluster_name, k8s_node_name, instance',

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'calico-typha',
        rules: [
          // Without clients there are no pings, and the quantile is not a number. Calico takes it over about ten minutes, so that one pause does not fire.
          rule(
            'CalicoTyphaOverloaded',
            'warning',
            '10m',
            'max by (%s) (min_over_time(typha_ping_latency{quantile="0.99"}[5m])) > %g' % [one, thresholds.typhaPingSeconds],
            'Typha on ' + node + inCluster + ' is slow to its clients.',
            |||
              One in a hundred pings of Typha on %s%s to its clients takes more than {{ $value | humanizeDuration }}. Policies and pods that change reach Felix
              on the nodes late, and clients that fall too far behind are disconnected and begin anew.
            ||| % [node, inCluster]
          ),
          // A Typha that has more than its share of clients drops one a second until others have taken them: normal when Typhas or nodes come and go, and not
          // when it does not end. It goes on while there are drops within the last five minutes.
          rule(
            'CalicoTyphaClientsDropped',
            'warning',
            '30m',
            |||
              sum by (%(one)s) (increase(typha_connections_dropped[30m]))
              / max by (%(one)s) (avg_over_time(typha_connections_active[30m]))
              > %(ratio)g
              and
              sum by (%(one)s) (increase(typha_connections_dropped[5m])) > 0
            ||| % { one: one, ratio: thresholds.typhaDroppedRatio },
            'Typha on ' + node + inCluster + ' goes on dropping clients.',
            |||
              Typha on %s%s dropped {{ $value | humanizePercentage }} as many connections within half an hour as it has, and still does. Each client that is
              dropped connects again and is sent everything anew.
            ||| % [node, inCluster]
          ),
        ],
      },
    ],
  },
}
