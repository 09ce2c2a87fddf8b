// Alerts on Felix, of one node each.
local alert = import '../alert.libsonnet';
local felix = import '../felix.libsonnet';
local inCluster = alert.inCluster;
local node = alert.node;
local rule = alert.rule;

{
  local thresholds = $._config.thresholds,

  // errors are those of commands, after a few of which in a row Felix ends and is started again. Its counters then begin anew, within seconds, and scrapes see
  // some of them only: so nothing shorter than 15 minutes is asked for, and for longer than that, so that errors which are over do not fire.
  local errors(counters, threshold) = '%s > %g' % [felix.counted('increase', counters, '15m'), threshold],

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'calico-felix',
        rules: [
          // Felix goes on after a failure and tries again within ten seconds. What counts is that it still fails, not that it did when it or its node started.
          rule(
            'CalicoFelixDataplaneFailures',
            'critical',
            '10m',
            |||
              %s > %g
              and
              %s > 0
            ||| % [felix.counted('increase', felix.failures, '15m'), thresholds.dataplaneFailures, felix.counted('increase', felix.failures, '5m')],
            'Felix on ' + node + inCluster + ' cannot program the dataplane.',
            |||
              Felix on %s%s failed {{ $value | printf "%%.0f" }} times within 15 minutes to bring the dataplane of its node up to date, and still does. Until it
              succeeds, new pods there may have no network, and changes of policy may not be in force.
            ||| % [node, inCluster]
          ),
          rule(
            'CalicoFelixIptablesErrors',
            'warning',
            '20m',
            errors(felix.iptables, thresholds.iptablesErrors),
            'Felix on ' + node + inCluster + ' fails to read or write iptables.',
            |||
              iptables-save and iptables-restore failed {{ $value | printf "%%.0f" }} times within 15 minutes on %s%s. Felix tries again, and starts anew after
              a few failures in a row; until it succeeds, new pods there may have no network, and changes of policy may not be in force.
            ||| % [node, inCluster]
          ),
          rule(
            'CalicoFelixNftablesErrors',
            'warning',
            '20m',
            errors(felix.nftables, thresholds.nftablesErrors),
            'Felix on ' + node + inCluster + ' fails to read or write nftables.',
            |||
              Transactions and listings of nftables failed {{ $value | printf "%%.0f" }} times within 15 minutes on %s%s. Felix tries again, makes its table
              anew and at last starts anew; until it succeeds, new pods there may have no network, and changes of policy may not be in force.
            ||| % [node, inCluster]
          ),
          rule(
            'CalicoFelixIPSetErrors',
            'warning',
            '20m',
            errors(felix.ipsets, thresholds.ipsetErrors),
            'Felix on ' + node + inCluster + ' fails to write IP sets.',
            |||
              Updates of IP sets failed {{ $value | printf "%%.0f" }} times within 15 minutes on %s%s. Felix tries again, and starts anew after a few failures
              in a row; until it succeeds, policies there go by the addresses that pods had before.
            ||| % [node, inCluster]
          ),
          rule(
            'CalicoFelixApplySlow',
            'warning',
            '15m',
            |||
              sum by (%(one)s) (rate(felix_int_dataplane_apply_time_seconds_sum[15m]))
              / sum by (%(one)s) (rate(felix_int_dataplane_apply_time_seconds_count[15m]))
              > %(seconds)g
            ||| % { one: felix.one, seconds: thresholds.applySeconds },
            'Felix on ' + node + inCluster + ' takes {{ $value | humanizeDuration }} to program a change.',
            |||
              Felix on %s%s takes {{ $value | humanizeDuration }} on average to bring a change into the dataplane of its node. So much later at least new pods
              there get their network, and changes of policy come into force.
            ||| % [node, inCluster]
          ),
        ],
      },
    ],
  },
}
